"""Moving: never over another file, over file systems too, and once however often it is begun."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from flawsight.station.watch.move import move


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"picture")
    os.utime(path, ns=(1_700_000_000_123_456_789,) * 2)
    return path


@pytest.fixture(params=["link", "no links", "another disk", "another disk, no links"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file systems allow."""
    link, lstat = os.link, Path.lstat

    def other_disk(source: Path, target: Path, **more: bool) -> None:
        if ".part" not in str(source):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        if "no links" in request.param:
            raise OSError(errno.EPERM, "Operation not permitted")
        link(source, target, **more)

    def none(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    def device(path: Path) -> os.stat_result:
        found = list(lstat(path))
        found[2] += "out" in path.parts  # its number
        return os.stat_result(found, {"st_mtime_ns": lstat(path).st_mtime_ns})

    if request.param == "no links":
        monkeypatch.setattr(os, "link", none)
    elif request.param != "link":
        monkeypatch.setattr(os, "link", other_disk)
        monkeypatch.setattr(Path, "lstat", device)
    return request.param


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("disk")
def test_it_is_there_and_gone_here(picture: Path, tmp_path: Path) -> None:
    before = picture.stat().st_mtime_ns
    assert move(picture, tmp_path / "out" / "deep" / "a.png") == tmp_path / "out/deep/a.png"
    assert files(tmp_path / "out" / "deep") == {"a.png": b"picture"} and not picture.exists()
    assert (tmp_path / "out/deep/a.png").stat().st_mtime_ns == before


@pytest.mark.usefixtures("disk")
def test_nothing_is_overwritten(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"another")
    (out / "a_2.png").symlink_to("nowhere")
    assert move(picture, out / "a.png") == out / "a_3.png"
    assert (out / "a.png").read_bytes() == b"another" and (out / "a_3.png").read_bytes() == b"picture"


@pytest.mark.usefixtures("disk")
def test_a_name_that_is_taken_meanwhile(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"another")
    exists, asked = Path.exists, []

    def late(path: Path, **more: bool) -> bool:
        asked.append(path)
        return exists(path, **more) if len(asked) > 1 else False

    monkeypatch.setattr(Path, "exists", late)
    assert move(picture, out / "a.png") == out / "a_2.png"
    assert files(out) == {"a.png": b"another", "a_2.png": b"picture"}


def test_killed_before_the_original_went(
    picture: Path, tmp_path: Path, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if disk == "no links":
        pytest.skip("there is no such moment")
    out, unlink = tmp_path / "out", Path.unlink

    def killed(path: Path, **more: bool) -> None:
        if path == picture:
            raise KeyboardInterrupt
        unlink(path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            move(picture, out / "a.png")
    assert picture.exists() and files(out) == {"a.png": b"picture"}
    assert move(picture, out / "a.png") == out / "a.png"
    assert not picture.exists() and files(out) == {"a.png": b"picture"}


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("seconds", [0.0, 1.0, 0.000001])
def test_another_file_of_the_same_bytes_is_another(picture: Path, tmp_path: Path, seconds: float) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"picturE" if not seconds else b"picture")
    when = picture.stat().st_mtime_ns + int(seconds * 1e9)
    os.utime(out / "a.png", ns=(when, when))
    move(picture, out / "a.png")
    assert sorted(files(out)) == ["a.png", "a_2.png"]


def test_a_disk_that_is_full_leaves_the_original(
    picture: Path, tmp_path: Path, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "another" not in disk:
        pytest.skip("nothing is copied")

    def half(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"pic")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", half)
    with pytest.raises(OSError, match="No space left"):
        move(picture, tmp_path / "out" / "a.png")
    assert picture.read_bytes() == b"picture" and files(tmp_path / "out") == {}


def test_a_real_other_disk(picture: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == picture.stat().st_dev:
        pytest.skip("there is no other disk")
    out = other / f"flawsight-test-{os.getpid()}"
    try:
        move(picture, out / "a.png")
        assert files(out) == {"a.png": b"picture"} and not picture.exists()
    finally:
        shutil.rmtree(out, ignore_errors=True)


def test_a_link_to_the_file_is_not_the_file(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").symlink_to(picture)
    assert move(picture, out / "a.png") == out / "a_2.png" and (out / "a_2.png").read_bytes() == b"picture"
