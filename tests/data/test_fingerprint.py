import shutil

import pytest

from flawsight.core import FlawsightError
from flawsight.data import fingerprint


@pytest.fixture
def files(tmp_path):
    (tmp_path / "here").mkdir()
    paths = [tmp_path / "here" / name for name in ("a.png", "b.png", "c.png")]
    for path, text in zip(paths, ("one", "two", "three"), strict=True):
        path.write_text(text)
    return paths


def test_place_and_order_do_not_matter(files, tmp_path):
    there = shutil.copytree(files[0].parent, tmp_path / "there")
    moved = [there / path.name for path in reversed(files)]
    assert fingerprint(files) == fingerprint(moved) == fingerprint(map(str, files))
    assert len(fingerprint(files)) == 64


def test_every_change_matters(files):
    before = {fingerprint(files), fingerprint(files[:2]), fingerprint([*files, files[0]])}
    files[0].write_text("One")
    before.add(fingerprint(files))
    files[0].write_text("two")
    files[1].write_text("one")
    before.add(fingerprint(files))  # contents exchanged
    before.add(fingerprint([files[0].rename(files[0].with_name("d.png")), *files[1:]]))
    assert len(before) == 6


def test_errors(files, tmp_path):
    with pytest.raises(FlawsightError, match=r"missing\.png"):
        fingerprint([*files, tmp_path / "missing.png"])
    with pytest.raises(FlawsightError, match="no images"):
        fingerprint([])
