"""Masks on disk: whatever is not zero is defective, at the image's own size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import read_mask

MARKS = np.zeros((12, 20), bool)
MARKS[2:5, 3:9] = True


def saved(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    "pixels",
    [
        MARKS,
        MARKS * np.uint8(255),
        MARKS * np.uint8(1),
        MARKS * np.uint16(1),
        np.dstack([MARKS * np.uint8(0), MARKS * np.uint8(0), MARKS * np.uint8(3)]),
        np.dstack([np.full((12, 20, 3), 255, np.uint8), MARKS * np.uint8(255)]),
        np.dstack([MARKS * np.uint8(255)] * 3 + [np.full((12, 20), 255, np.uint8)]),
    ],
    ids=["1-bit", "255", "1", "16-bit", "blue only", "transparent", "opaque"],
)
def test_mask_is_whatever_is_not_zero(tmp_path, pixels):
    mask = read_mask(saved(tmp_path / "m.png", pixels), (12, 20))
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, MARKS)


def test_palette_mask(tmp_path):
    image = Image.frombytes("P", (20, 12), (MARKS * np.uint8(1)).tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0])
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (12, 20)), MARKS)


def test_mask_of_another_size_names_both(tmp_path):
    path = saved(tmp_path / "m.png", MARKS)
    with pytest.raises(FlawsightError, match=r"m\.png is 20 x 12 .* image is 12 x 20"):
        read_mask(path, (20, 12))


def test_jpeg_mask_is_refused(tmp_path):
    path = saved(tmp_path / "m.jpg", MARKS * np.uint8(255))
    with pytest.raises(FlawsightError, match=r"m\.jpg is a JPEG"):
        read_mask(path, (12, 20))
