import random

import pytest

from flawsight.core import FlawsightError
from flawsight.data import IMAGE_SUFFIXES, find_images


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(folder, paths):
    return [p.relative_to(folder).as_posix() for p in paths]


def test_natural_order_whatever_the_file_system_says(tmp_path):
    expected = ["1.png", "01a.png", "2.png", "img1.png", "IMG2.png", "img10.png", "img10b.png", "part1_2.png"]
    shuffled = random.Random(0).sample(expected, len(expected))
    touch(tmp_path, *shuffled)
    assert names(tmp_path, find_images(tmp_path)) == expected


def test_suffixes_in_any_case_and_nothing_else(tmp_path):
    wanted = [f"a{i}{s}" for i, s in enumerate(IMAGE_SUFFIXES)] + [
        f"b{i}{s.upper()}" for i, s in enumerate(IMAGE_SUFFIXES)
    ]
    touch(tmp_path, *wanted, "Thumbs.db", "notes.txt", "png", ".hidden.png", "._a.jpg")
    (tmp_path / "folder.png").mkdir()
    assert sorted(names(tmp_path, find_images(tmp_path))) == sorted(wanted)


def test_recursive_skips_hidden_folders(tmp_path):
    touch(tmp_path, "a.png", "sub2/b.png", "sub10/c.png", ".cache/d.png", "sub2/.thumbs/e.png")
    assert names(tmp_path, find_images(tmp_path)) == ["a.png"]
    assert names(tmp_path, find_images(tmp_path, recursive=True)) == ["a.png", "sub2/b.png", "sub10/c.png"]


def test_a_hidden_parent_hides_nothing(tmp_path):
    touch(tmp_path, ".store/a.png")
    assert len(find_images(tmp_path / ".store", recursive=True)) == 1


@pytest.mark.parametrize("recursive", [False, True])
def test_errors(tmp_path, recursive):
    touch(tmp_path, "notes.txt")
    with pytest.raises(FlawsightError, match=r"no image in .*\.png, \.jpg.*\.webp"):
        find_images(tmp_path, recursive)
    for path in (tmp_path / "missing", tmp_path / "notes.txt"):
        with pytest.raises(FlawsightError, match=path.name):
            find_images(path, recursive)
