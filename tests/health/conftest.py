"""A folder of good pictures into which faults are put."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flawsight.health import Finding, check_folder

Put = Callable[..., Path]


@pytest.fixture
def folder(good_dir: Path, tmp_path: Path) -> Path:
    """24 good pictures of 96 x 80."""
    return Path(shutil.copytree(good_dir, tmp_path / "good"))


@pytest.fixture
def put(folder: Path) -> Put:
    """Save an array, or write bytes, under a name in the folder."""

    def save(name: str, content: np.ndarray | bytes, **options: object) -> Path:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.dtype == np.uint16:
            path.write_bytes(cv2.imencode(".png", content)[1].tobytes())
        else:
            Image.fromarray(content).save(path, **options)
        return path

    return save


@pytest.fixture
def found(folder: Path) -> Callable[[], dict[str, set[str]]]:
    """The names of the files by the kind of finding."""

    def look() -> dict[str, set[str]]:
        names: dict[str, set[str]] = {}
        for one in check_folder(folder).report.findings:
            names.setdefault(one.kind, set()).update(path.name for path in one.files)
        return names

    return look


@pytest.fixture
def said(folder: Path) -> Callable[[str], Finding]:
    """The one finding of a kind."""

    def look(kind: str) -> Finding:
        (one,) = check_folder(folder).report.of_kind(kind)
        return one

    return look
