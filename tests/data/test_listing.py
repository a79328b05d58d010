"""Whatever lies in a folder is listed, or left out by name: links, pipes, unknown suffixes; nothing blocks."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import find_images, good_samples, list_images, open_dataset


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / name)
    return folder


def reasons(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): reason for path, reason in list_images(folder).skipped}


def test_a_linked_folder_is_read(tmp_path):
    make(tmp_path / "far", "1.png", "deep/2.png")
    (make(tmp_path / "in", "0.png") / "link").symlink_to(tmp_path / "far")
    found = [path.relative_to(tmp_path / "in").as_posix() for path in find_images(tmp_path / "in", recursive=True)]
    assert found == ["0.png", "link/1.png", "link/deep/2.png"]
    assert len(open_dataset(tmp_path / "in")) == 3 and reasons(tmp_path / "in") == {}


def test_links_in_circles_and_twice_are_read_once(tmp_path):
    make(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "z").symlink_to(tmp_path / "b")
    (tmp_path / "0").symlink_to(tmp_path / "b")
    assert len(list_images(tmp_path).images) == 2
    assert reasons(tmp_path) == dict.fromkeys(("a/up", "z", "0"), "a link to a folder that is read already")


def test_links_that_lead_nowhere(tmp_path):
    make(tmp_path, "1.png")
    (tmp_path / "x.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert reasons(tmp_path) == dict.fromkeys(("x.png", "self"), "a link that leads nowhere")


@pytest.mark.skipif(os.name == "nt", reason="no such files")
def test_pipes_sockets_and_devices_never_block(tmp_path, monkeypatch):
    make(tmp_path, "1.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("sock.png")
        assert reasons(tmp_path) == {"null.png": "a device", "pipe.png": "a named pipe", "sock.png": "a socket"}
        assert [path.name for path in find_images(tmp_path)] == ["1.png"]


def test_unknown_suffixes_are_counted_and_named(tmp_path):
    make(tmp_path, *(f"{i}.png" for i in range(3)))
    for name in ("a.xyz", "b.XYZ", "c.dcm", "scan", "notes.txt", "Thumbs.db", ".hidden.xyz", "README"):
        (tmp_path / name).touch()
    silent = {"notes.txt", "Thumbs.db", "README"}
    assert set(reasons(tmp_path)) == {"a.xyz", "b.XYZ", "c.dcm", "scan"} | silent
    assert not any(name in note for note in list_images(tmp_path).notes() for name in silent)
    assert "2 left out (.xyz is not read): a.xyz, b.XYZ" in good_samples(tmp_path).notes
    for i in range(9):
        (tmp_path / f"{i}.dcm").touch()
    assert any(
        "10 left out (.dcm is not read)" in note and "and 5 more" in note for note in list_images(tmp_path).notes()
    )


def test_a_folder_of_nothing_but_unknown_files_says_which(tmp_path):
    (tmp_path / "a.dcm").touch()
    with pytest.raises(FlawsightError, match=r"no image in.*1 left out \(\.dcm is not read\): a\.dcm"):
        find_images(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    make(tmp_path, "1.png", "locked/2.png")
    whole = os.scandir

    def refuse(folder: Path):
        if folder.name == "locked":
            raise PermissionError(13, "Permission denied")
        return whole(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert reasons(tmp_path) == {"locked": "cannot be listed: Permission denied"}


def test_text_files_that_may_be_annotations_are_said(tmp_path):
    make(tmp_path, "1.png", "2.png")
    (tmp_path / "1.txt").touch()
    assert good_samples(tmp_path).notes == ("1 text files with the names of images are not read: 1.txt",)
