"""Raw pictures of a colour camera: the option says their filter; without it they are noticed."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.data import learn_pixel_format, read_image

PLACES = {"RG": (0, 1, 1, 2), "GR": (1, 0, 2, 1), "GB": (1, 2, 0, 1), "BG": (2, 1, 1, 0)}


@pytest.fixture(scope="session")
def tinted(make_scene: Callable) -> Callable:
    """A smooth scene of a strong colour."""

    def make(seed: int) -> np.ndarray:
        smooth = cv2.GaussianBlur(make_scene(seed, 1), (0, 0), 2)
        return (smooth[..., None] * np.array([0.9, 0.6, 0.3])).round().astype(np.uint8)

    return make


def raw(scene: np.ndarray, bayer: str) -> np.ndarray:
    """What a sensor under this filter sees."""
    seen = np.empty(scene.shape[:2], np.uint8)
    for place, channel in enumerate(PLACES[bayer]):
        row, column = divmod(place, 2)
        seen[row::2, column::2] = scene[row::2, column::2, channel]
    return seen


@pytest.mark.parametrize("bayer", PLACES)
@pytest.mark.parametrize("bits", [8, 12])
def test_the_colours_come_back(
    tmp_path: Path, bayer: str, bits: int, tinted: Callable, at_depth: Callable, write: Callable
) -> None:
    def save(seed: int) -> Path:
        values = raw(tinted(seed), bayer)
        return write(tmp_path / f"{seed}.png", values if bits == 8 else at_depth(values, bits))

    paths = [save(seed) for seed in range(8)]
    learned = learn_pixel_format(paths, bayer=bayer, bits=None if bits == 8 else bits)
    assert f"Bayer {bayer}" in learned.text and not learned.is_plain
    read, scene = read_image(paths[0], pixels=learned).astype(int), tinted(0)
    assert np.abs(read - scene)[4:-4, 4:-4].mean() < 3
    grey = write(
        tmp_path / "grey.png", cv2.cvtColor(scene, cv2.COLOR_RGB2GRAY) if bits == 8 else at_depth(scene[..., 1], 12)
    )
    with pytest.raises(FlawsightError, match=rf"expected Bayer {bayer} .*without a pattern"):
        read_image(grey, pixels=learned)
    if bits == 8:
        with pytest.raises(FlawsightError, match=rf"expected Bayer {bayer} .*got colour"):
            read_image(write(tmp_path / "colour.png", scene), pixels=learned)


def test_raw_pictures_without_the_option_are_noticed(tmp_path: Path, tinted: Callable, write: Callable) -> None:
    paths = [write(tmp_path / f"{seed}.png", raw(tinted(seed), "RG")) for seed in range(8)]
    assert any("--bayer" in concern for concern in learn_pixel_format(paths).concerns)
    plain = [write(tmp_path / f"p{seed}.png", tinted(seed)[..., 0].copy()) for seed in range(8)]
    assert not learn_pixel_format(plain).concerns
    with pytest.raises(FlawsightError, match="--bayer GB is for raw grey"):
        learn_pixel_format([write(tmp_path / f"c{seed}.png", tinted(seed)) for seed in range(8)], bayer="GB")
