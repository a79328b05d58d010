"""Transparency: decided once from the good pictures, and said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.data import learn_pixel_format, read_image

RNG = np.random.default_rng(0)
GREEN = np.array([20, 160, 40], np.uint8)


def cut(scene: np.ndarray) -> np.ndarray:
    """A round part cut out; its background keeps its colour."""
    rows, columns = np.mgrid[:48, :60]
    inside = (rows - 24) ** 2 + (columns - 30) ** 2 < 20**2
    scene = np.where(inside[..., None], scene, GREEN)
    return np.dstack([scene, inside * np.uint8(255)])


MEANINGLESS = {
    "none of it": lambda shape: np.zeros(shape, np.uint8),
    "half": lambda shape: np.full(shape, 128, np.uint8),
    "random": lambda shape: RNG.integers(0, 256, shape, np.uint8),
    "random, two values": lambda shape: RNG.integers(0, 2, shape, np.uint8) * np.uint8(255),
    "a ramp": lambda shape: np.broadcast_to(np.linspace(0, 255, shape[1]).astype(np.uint8), shape),
}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("kind", MEANINGLESS)
def test_without_meaning_it_is_ignored(
    tmp_path: Path, kind: str, suffix: str, make_scene: Callable, write: Callable
) -> None:
    options = {".webp": {"lossless": True, "exact": True}, ".tif": {"extrasamples": ["unassalpha"]}}.get(suffix, {})

    def with_alpha(seed: int) -> np.ndarray:
        scene = make_scene(seed)
        return np.dstack([scene, MEANINGLESS[kind](scene.shape[:2])])

    paths = [write(tmp_path / f"{seed}{suffix}", with_alpha(seed), **options) for seed in range(8)]
    learned = learn_pixel_format(paths)
    assert learned.alpha == "ignored" and "transparency ignored" in learned.text
    for seed, path in enumerate(paths):
        np.testing.assert_array_equal(read_image(path, pixels=learned), make_scene(seed))
    opaque = write(tmp_path / "opaque.png", make_scene(50))
    np.testing.assert_array_equal(read_image(opaque, pixels=learned), make_scene(50))


@pytest.mark.parametrize("bits", [8, 16])
def test_with_meaning_it_is_laid_over_white(tmp_path: Path, bits: int, make_scene: Callable, write: Callable) -> None:
    def part(seed: int) -> np.ndarray:
        return cut(make_scene(seed)).astype(np.uint8 if bits == 8 else np.uint16) * (1 if bits == 8 else 257)

    paths = [write(tmp_path / f"{seed}.png", part(seed)) for seed in range(8)]
    learned = learn_pixel_format(paths)
    assert learned.alpha == "white" and "over white" in learned.text
    read, scene = read_image(paths[2], pixels=learned), cut(make_scene(2))
    np.testing.assert_array_equal(read, np.where(scene[..., 3:] > 0, scene[..., :3], 255))
    gone = part(9)
    gone[..., 3] = 0
    for values, reason in ((part(9)[..., :3].copy(), "no transparency"), (gone, "nothing but transparency")):
        with pytest.raises(FlawsightError, match=rf"new\.png .*{reason}"):
            read_image(write(tmp_path / "new.png", values), pixels=learned)


def test_opaque_pictures_are_as_if_they_had_none(tmp_path: Path, make_scene: Callable, write: Callable) -> None:
    full = np.full((48, 60), 255, np.uint8)
    paths = [write(tmp_path / f"{n}.png", np.dstack([make_scene(n), full][: 1 + n % 2])) for n in range(8)]
    learned = learn_pixel_format(paths)
    assert learned.alpha == "none" and learned.is_plain and not learned.concerns
    new = write(tmp_path / "new.png", np.dstack([make_scene(9), full // 2]))
    with pytest.raises(FlawsightError, match=r"new\.png .*got transparency"):
        read_image(new, pixels=learned)


@pytest.mark.parametrize(("cut_out", "named"), [(2, "is partly transparent"), (7, "is without transparency")])
def test_some_with_and_some_without(
    tmp_path: Path, cut_out: int, named: str, make_scene: Callable, write: Callable
) -> None:
    for number in range(9):
        scene = make_scene(number)
        write(tmp_path / f"{number}.png", cut(scene) if number < cut_out else scene)
    odd = "8.png" if cut_out == 7 else "0.png"
    with pytest.raises(FlawsightError, match=rf"2 of 9 .*{odd} {named}"):
        learn_pixel_format(sorted(tmp_path.iterdir()))
