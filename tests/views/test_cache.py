"""The folder's images: decoded once, kept outside of memory."""

from pathlib import Path

import numpy as np
import pytest

from flawsight.data import read_image
from flawsight.views import ImageCache, SquareStore, resize_image
from flawsight.views import cache as module


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that are really decoded, in order."""
    seen: list[Path] = []
    monkeypatch.setattr(module, "read_image", lambda path, *how: seen.append(path) or read_image(path, *how))
    return seen


@pytest.fixture
def paths(good_dir: Path) -> list[Path]:
    return sorted(good_dir.iterdir())[:7]


def test_each_is_decoded_once_and_is_what_it_was(paths: list[Path], decoded: list[Path]) -> None:
    images = ImageCache(paths, 48)
    order = [3, 0, 6, -1, 3, 5]
    found = [images[place] for place in order] + images[:] + images[1:6:2]
    assert sorted(decoded) == paths
    expected = [resize_image(read_image(path), 48) for path in paths]
    wanted = [expected[place] for place in order] + expected + expected[1:6:2]
    assert all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))
    found[0][:] = 0  # a picture may be drawn on without harm to the next reader
    assert np.array_equal(images[3], expected[3])
    assert len(images) == 7
    with pytest.raises(IndexError):
        images[7]


def test_beyond_the_limit_images_are_decoded_again(paths: list[Path], decoded: list[Path]) -> None:
    images = ImageCache(paths, 48)
    images._store = SquareStore(48, most=3 * 3 * 48 * 48)
    first, second = images[:], images[:]
    assert [decoded.count(path) for path in paths] == [1, 1, 1, 2, 2, 2, 2]
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_full_disk_only_costs_time(paths: list[Path], decoded: list[Path]) -> None:
    images = ImageCache(paths, 48)

    class Full:
        def seek(self, place: int) -> None: ...
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    images._store._file = Full()  # type: ignore[assignment]
    assert np.array_equal(images[2], images[2])
    assert decoded == [paths[2]] * 2
