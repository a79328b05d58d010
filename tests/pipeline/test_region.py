"""`--region auto`: it holds the part wherever it lies, not its shadow, and is absent where no object shows."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import find_images, read_image
from flawsight.pipeline import propose_region, region_preview
from flawsight.views import RegionOfInterest

DATA = Path(os.environ.get("FLAWSIGHT_DATA", "absent"))
SIZE = (150, 200)
# The background's colour and the part's: brighter, darker with another hue, darker without any hue.
COLOURS = {
    "bright": ((60, 62, 58), (215, 170, 100)),
    "dark": ((225, 225, 220), (40, 60, 120)),
    "grey": ((220, 220, 220), (60, 60, 60)),
}


def ellipse(x: int, y: int, degrees: float = 0.0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return cv2.ellipse(np.zeros(size, np.uint8), (x, y), (45, 30), degrees, 0, 360, 1, -1) > 0


def scene(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A part that lies a little elsewhere in every picture, with a soft shadow; the masks of both."""
    rng = np.random.default_rng(seed)
    background, colour = (np.array(one, float) for one in COLOURS[kind])
    x, y = 100 + int(rng.integers(-4, 5)), 70 + int(rng.integers(-4, 5))
    part, below = ellipse(x, y, rng.uniform(-10, 10)), ellipse(x + 14, y + 12)
    shadow = cv2.GaussianBlur(below.astype(np.float32), (0, 0), 3)[..., None]
    grain = 30 * cv2.GaussianBlur(rng.normal(size=SIZE), (0, 0), 2)[..., None]
    image = np.where(part[..., None], colour + grain, background * (1 - 0.5 * shadow)) + rng.normal(size=(*SIZE, 3)) * 3
    return np.clip(image, 0, 255).astype(np.uint8), part, below & ~part


@pytest.mark.parametrize("kind", COLOURS)
def test_it_holds_every_part_and_little_of_their_shadows(kind: str) -> None:
    images, parts, shadows = zip(*(scene(kind, seed) for seed in range(10)), strict=True)
    region = propose_region(images)
    assert region is not None and region.size == SIZE
    union, together = np.logical_or.reduce(parts), np.logical_or.reduce([*parts, *shadows])
    assert (region.mask & union).sum() >= 0.995 * union.sum()
    assert region.mask.sum() <= 1.35 * union.sum()
    rest = together & ~(cv2.dilate(union.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0)
    assert rest.sum() > 50 and not (region.mask & rest).any()


def test_it_is_the_same_again_and_in_any_order() -> None:
    images = [scene("bright", seed)[0] for seed in range(8)]
    keys = {one.key for one in (propose_region(images), propose_region(images), propose_region(images[::-1])) if one}
    assert len(keys) == 1


def test_one_odd_picture_does_not_spoil_it() -> None:
    images = [scene("bright", seed)[0] for seed in range(16)]
    usual = propose_region(images)
    odd = np.full((*SIZE, 3), 60, np.uint8)
    odd[20:125, 50:140] = (215, 170, 100)
    region = propose_region([*images, odd])
    assert usual is not None and region is not None and abs(region.share - usual.share) < 0.01


def test_a_part_may_run_through_the_picture() -> None:
    images = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        image = rng.normal(220, 3, size=(*SIZE, 3))
        left = 90 + int(rng.integers(-3, 4))
        image[:, left : left + 14] -= 160
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    region = propose_region(images)
    assert region is not None
    _, top, width, height = region.box
    assert (top, height) == (0, SIZE[0]) and 14 <= width <= 40


class Decoded:
    """A sequence that is decoded one by one."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        self.sizes = sizes
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, number: int) -> np.ndarray:
        self.asked.append(number)
        return cv2.resize(scene("bright", number)[0], self.sizes[number][::-1])


def test_of_many_pictures_some_are_looked_at() -> None:
    images = Decoded([SIZE] * 200)
    assert propose_region(images) is not None  # type: ignore[arg-type]
    assert len(images.asked) == len(set(images.asked)) <= 32 and {0, 199} <= set(images.asked)


def test_large_pictures_get_the_same_region_larger() -> None:
    images = [scene("dark", seed)[0] for seed in range(6)]
    small = propose_region(images)
    large = propose_region([cv2.resize(image, (2000, 1500)) for image in images])
    assert small is not None and large is not None and large.size == (1500, 2000)
    again = cv2.resize(large.mask.astype(np.uint8), SIZE[::-1], interpolation=cv2.INTER_AREA) > 0
    assert (again & small.mask).sum() / (again | small.mask).sum() > 0.93


@pytest.mark.parametrize("side", [8, 12, 16, 24, 32, 64])
def test_small_pictures_have_a_region_or_none(side: int) -> None:
    images = [cv2.resize(scene("bright", seed)[0], (side, side), interpolation=cv2.INTER_AREA) for seed in range(6)]
    region = propose_region(images)
    assert region is None or region.size == (side, side)


def test_textures_and_few_pictures_have_no_region(texture: Callable[..., np.ndarray]) -> None:
    assert propose_region([texture(seed) for seed in range(8)]) is None
    assert propose_region([scene("bright", seed)[0] for seed in range(2)]) is None


def test_pictures_of_several_sizes_are_refused() -> None:
    with pytest.raises(FlawsightError, match=r"one size, but number 3 is 180 x 150 pixels and the first 200 x 150"):
        propose_region(Decoded([SIZE, SIZE, (150, 180), SIZE]))  # type: ignore[arg-type]
    with pytest.raises(FlawsightError, match="no good pictures"):
        propose_region([])


def test_the_preview_dims_what_is_outside(tmp_path: Path) -> None:
    images = [np.full((256, 300, 3), 90 + number, np.uint8) for number in range(6)]
    mask = np.zeros((256, 300), bool)
    mask[60:200, 80:240] = True
    path = region_preview(images, RegionOfInterest(mask), tmp_path / "region.png")
    shown = np.array(Image.open(path))
    assert shown.shape == (256, 4 * 300, 3)
    assert [shown[130, 300 * number + 160, 0] for number in range(4)] == [90, 91, 92, 93]
    assert [shown[20, 300 * number + 20, 0] for number in range(4)] == [30, 30, 30, 31]
    with pytest.raises(FlawsightError, match="good image 1 is 300 x 256 pixels"):
        region_preview(images, RegionOfInterest(np.ones((20, 20), bool)), path)
    with pytest.raises(FlawsightError, match="cannot write"):
        region_preview(images, RegionOfInterest(mask), tmp_path / "absent" / "region.png")


@pytest.mark.skipif(not DATA.is_dir(), reason="FLAWSIGHT_DATA names no folder")
@pytest.mark.parametrize("name", ["kolektorsdd_tiles", "mvtec_leather_mini", "paper_pa_bft01_tl", "paper_pa_fvn01_tl"])
def test_real_textures_are_inspected_whole(name: str) -> None:
    assert propose_region([read_image(path) for path in find_images(DATA / name / "train" / "good")[:64]]) is None


@pytest.mark.skipif(not DATA.is_dir(), reason="FLAWSIGHT_DATA names no folder")
def test_the_shadow_beside_a_real_object_is_left_out() -> None:
    region = propose_region([read_image(path) for path in find_images(DATA / "cookie" / "train" / "good")])
    assert region is not None
    # The rim and the corners of the tray, with the shadow that reaches the upper one.
    assert not region.mask[:60].any() and not region.mask[-50:].any() and not region.mask[:90, -70:].any()
    assert region.mask[180:350, 90:290].all()
