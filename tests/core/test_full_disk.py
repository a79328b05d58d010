"""A full disk: one clear error, and nothing half-written that looks like a result."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import flawsight as fs
from flawsight.cli import main
from flawsight.core import FlawsightError, writable_folder, write_whole, written_whole
from flawsight.data import open_dataset
from flawsight.inspection import Inspector, inspect_to_folder
from flawsight.inspection.evaluation import evaluate_to_folder
from flawsight.settings import EvaluateSettings
from flawsight.views import ImageCache


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB; tests that need one are left out where it cannot be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a small disk takes the right to mount one")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, leave: int = 0) -> None:
    """Fill it up, but for some pages."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        size = file.tell() // 4096 * 4096
    os.truncate(disk / "ballast", max(0, size - leave * 4096))


def left(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != "ballast"
    )


PAGES = [0, 1, 2, 5, 9]


@pytest.mark.parametrize("pages", PAGES)
def test_fit(small_disk: Path, good_dir: Path, fit_options: dict, pages: int) -> None:
    fill(small_disk, pages)
    with pytest.raises(FlawsightError, match=r"(?i)no space left"):
        fs.fit(good_dir, small_disk / "bundle", **fit_options)
    # What a search has found stays, to go on from there.
    assert not [name for name in left(small_disk) if ".search" not in name]


@pytest.mark.parametrize("pages", PAGES)
def test_inspect(small_disk: Path, fitted: Inspector, good_dir: Path, pages: int) -> None:
    fill(small_disk, pages)
    with pytest.raises(FlawsightError, match=r"(?i)no space left"):
        inspect_to_folder(fitted, [good_dir], small_disk / "out")
    assert set(left(small_disk)) <= {"out/.flawsight-output"}


@pytest.mark.parametrize("pages", PAGES)
def test_synthesize(small_disk: Path, good_dir: Path, pages: int) -> None:
    fill(small_disk, pages)
    with pytest.raises(FlawsightError, match=r"(?i)no space left"):
        fs.synthesize(good_dir, small_disk / "out", device="cpu")
    assert left(small_disk) == []


def test_synthesize_again_where_it_failed(small_disk: Path, good_dir: Path, tmp_path: Path) -> None:
    fill(small_disk, 6)
    with pytest.raises(FlawsightError):
        fs.synthesize(good_dir, small_disk / "out", device="cpu")
    with pytest.raises(FlawsightError, match=r"(?i)no space left"):  # and not that something is in the way
        fs.synthesize(good_dir, small_disk / "out", device="cpu")


def test_evaluate(small_disk: Path, fitted: Inspector, labelled_set: Path, bundle: Path) -> None:
    fill(small_disk)
    settings = EvaluateSettings.of({"bundle": bundle, "dataset": labelled_set, "out": small_disk / "out"})
    with pytest.raises(FlawsightError, match=r"(?i)no space left"):
        evaluate_to_folder(fitted, open_dataset(labelled_set), settings)
    assert left(small_disk) == []


def test_an_older_bundle_stays_where_a_new_one_finds_no_room(
    small_disk: Path, fitted: Inspector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fs.save(fitted, tmp_path / "bundle")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FlawsightError, match="No space left"):
        fs.save(fitted, folder, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_bundle_without_its_report_is_none(
    good_dir: Path, tmp_path: Path, fit_options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FlawsightError("cannot write 'report.html' (No space left on device)")

    options = fit_options | {"layers": "blocks.3.0.bn?", "defects": "simple", "export": "none"}
    # By its full name: the package's `fit` is the function.
    monkeypatch.setattr(sys.modules["flawsight.pipeline.fit"], "write_report", full)
    with pytest.raises(FlawsightError, match="No space left"):
        fs.fit(good_dir, tmp_path / "bundle", **options)
    assert {path.name for path in (tmp_path / "bundle").iterdir()} == {".search"}
    monkeypatch.undo()
    fs.fit(good_dir, tmp_path / "bundle", **options)
    assert (tmp_path / "bundle" / "report.html").exists()


def test_no_room_for_temporary_files(good_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    expected = ImageCache(sorted(good_dir.iterdir())[:3], 32)[:]
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    images = ImageCache(sorted(good_dir.iterdir())[:3], 32)
    for _ in range(2):
        assert all((one == other).all() for one, other in zip(images[:], expected, strict=True))


class TestFiles:
    """Each by itself."""

    def test_a_folder_that_cannot_hold_a_page(self, small_disk: Path) -> None:
        fill(small_disk)
        with pytest.raises(FlawsightError, match=r"(?i)no space left"):
            writable_folder(small_disk / "new")
        assert not (small_disk / "new").exists()

    def test_whole_or_not_at_all(self, small_disk: Path) -> None:
        write_whole(small_disk / "x", b"old")
        fill(small_disk, 2)
        with pytest.raises(FlawsightError, match=r"(?i)no space left"):
            write_whole(small_disk / "x", bytes(20000))
        assert (small_disk / "x").read_bytes() == b"old" and left(small_disk) == ["x"]

    def test_text_is_utf_8_whatever_the_name(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "x", "B\udcf6den")
        assert (tmp_path / "x").read_text(encoding="utf-8") == "B\\xf6den"

    @pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError("x")])
    def test_no_part_is_left(self, tmp_path: Path, error: BaseException) -> None:
        with pytest.raises((FlawsightError, type(error))), written_whole(tmp_path / "x") as partial:
            partial.write_text("half")
            raise error
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["fit", "inspect", "synthesize", "evaluate"])
def test_the_command_says_so(
    small_disk: Path, good_dir: Path, bundle: Path, labelled_set: Path, verb: str, run_command: Callable
) -> None:
    fill(small_disk)
    given = {
        "fit": [good_dir, "--image-size", 64, "--layers", "blocks.3.0.*"],
        "inspect": [bundle, good_dir],
        "synthesize": [good_dir],
        "evaluate": [bundle, labelled_set],
    }
    code, err = run_command(verb, *given[verb], "--out", small_disk / "out", "--device", "cpu")
    assert code == 2 and "Traceback" not in err
    assert err.startswith("flawsight: ") and "No space left" in err
    assert left(small_disk) == []


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The exit code and the errors of a command: of `fit` in a process of its own, of others here, which is quicker."""

    def run(*arguments: object) -> tuple[int, str]:
        words = [*map(str, arguments)]
        if words[0] == "fit":
            command = [sys.executable, "-c", "from flawsight.cli.app import main; main()", *words]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            return done.returncode, done.stderr
        monkeypatch.setattr(sys, "argv", ["flawsight", *words])
        handler = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as end:
                main()
        finally:
            signal.signal(signal.SIGINT, handler)
        return int(end.value.code or 0), capsys.readouterr().err

    return run
