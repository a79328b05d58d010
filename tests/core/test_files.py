"""Files that are there whole or not at all, and what is said of those that cannot be read."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from flawsight.core import FlawsightError, cache_key, read_model, sha256_of, writable_folder, written_whole


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_appears_when_it_is_whole(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "file.txt"
    if before:
        path.write_text(before)
    with written_whole(path) as partial:
        assert partial.parent == tmp_path and partial != path
        partial.write_text("new")
        assert (path.read_text() if path.exists() else None) == before
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_or_not_at_all(tmp_path: Path, before: str | None, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    if before:
        path.write_text(before)
    with pytest.raises(error), written_whole(path) as partial:
        partial.write_text("half of the ne")
        raise error
    assert [found.read_text() for found in tmp_path.iterdir()] == ([before] if before else [])


def test_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    said = r"cannot write '.*file\.txt' \(No space left.*\): is the disk full\?"
    with pytest.raises(FlawsightError, match=said), written_whole(path) as partial:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    said = r"cannot write '.*file\.txt' \(No such file"
    with pytest.raises(FlawsightError, match=said), written_whole(tmp_path / "not" / "file.txt") as partial:
        partial.write_text("x")
    with pytest.raises(FlawsightError, match=said), written_whole(tmp_path / "file.txt"):
        pass  # nothing was written


def test_writable_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert writable_folder(folder) == folder and folder.is_dir() and not list(folder.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(FlawsightError, match=r"cannot write to .*choose another folder"):
        writable_folder(tmp_path / "file" / "under")


class Inner(BaseModel):
    count: int


class Outer(BaseModel):
    inner: Inner


def test_read_model(tmp_path: Path) -> None:
    path = tmp_path / "bundle" / "manifest.json"
    path.parent.mkdir()

    def read() -> Outer:
        return read_model(path, Outer, "bundle", "fit it again")

    with pytest.raises(FlawsightError, match=r"bundle '.*bundle': manifest.json cannot be read \(No such.*; fit it ag"):
        read()
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(FlawsightError, match=r"manifest.json cannot be read .*; fit it again"):
        read()
    for text, where in (('{"inner": {"count": "x"}}', r"inner\.count: "), ("{}", "inner: "), ("{", "the file: ")):
        path.write_text(text)
        with pytest.raises(
            FlawsightError, match=rf"bundle '.*bundle' is damaged .*: manifest.json, {where}.*fit it ag"
        ):
            read()
    path.write_text('{"inner": {"count": 3}}')
    assert read().inner.count == 3


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_cache_keys_tell_apart_what_differs() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    key = cache_key("layer", 3, {"a": 1}, values)
    assert len(key) == 16 and int(key, 16) >= 0
    assert cache_key("layer", 3, {"a": 1}, values.copy()) == key
    assert cache_key("layer", 3, {"a": 1}, np.asfortranarray(values)) == key
    others = [("layer", 4, {"a": 1}, values), ("layer", 3, {"a": 2}, values), ("layer", 3, {"a": 1}, values + 1)]
    others += [("Layer", 3, {"a": 1}, values), ("layer", 3, {"a": 1})]
    assert len({key, *(cache_key(*parts) for parts in others)}) == 1 + len(others)
