"""Copies are named, whatever was done to them, and nothing else is called a copy."""

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flawsight.health import check_pictures, facts_of
from flawsight.health.copies import near_groups
from flawsight.views import resize_image


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def edits(image: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    height, width = image.shape[:2]
    yield "re-encoded", jpeg(image, 60)
    yield "smaller", cv2.resize(image, (width * 2 // 3, height * 2 // 3), interpolation=cv2.INTER_AREA)
    yield "larger", cv2.resize(image, (width * 3 // 2, height * 3 // 2))
    yield "brightened", np.clip(image * 1.1, 0, 255).astype(np.uint8)
    yield "darkened", np.clip(image.astype(float) - 20, 0, 255).astype(np.uint8)
    yield "noisy", np.clip(image + np.random.default_rng(0).normal(0, 3, image.shape), 0, 255).astype(np.uint8)


EDITS = [name for name, _ in edits(np.zeros((80, 96, 3), np.uint8))]


@pytest.fixture
def pictures(texture: Callable) -> list[np.ndarray]:
    return [texture(seed, (200, 240)) for seed in range(20)]


def measured(images: list[np.ndarray]) -> list:
    return [facts_of(Path(f"{n}.png"), resize_image(one, 256), one.shape[:2]) for n, one in enumerate(images)]


def test_clean_pictures_have_no_copies(pictures: list[np.ndarray]) -> None:
    assert check_pictures(measured(pictures)).findings == ()


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_is_found(pictures: list[np.ndarray], edit: str) -> None:
    copy = dict(edits(pictures[7]))[edit]
    (group,) = near_groups(measured([*pictures, copy]))
    assert group == [7, 20]


def test_an_exact_copy_is_no_near_one(folder: Path, found: Callable) -> None:
    shutil.copy(folder / "003.png", folder / "copy.png")
    assert found() == {"duplicates": {"003.png", "copy.png"}}


def test_the_same_pixels_in_another_format_are_exact(folder: Path, found: Callable) -> None:
    Image.open(folder / "003.png").save(folder / "copy.bmp")
    assert found() == {"duplicates": {"003.png", "copy.bmp"}}


def test_copies_are_told_apart_from_blank_pictures(folder: Path, put: Callable, said: Callable) -> None:
    """Numbers of pictures do not shift where one of them is left out."""
    put("000_black.png", np.zeros((80, 96, 3), np.uint8))
    put("001_black.png", np.zeros((80, 96, 3), np.uint8))
    shutil.copy(folder / "005.png", folder / "copy.png")
    assert said("duplicates").named == "005.png = copy.png"


def test_frames_of_a_video_are_groups(texture: Callable) -> None:
    rng = np.random.default_rng(1)
    scenes = [texture(seed, (200, 240)) for seed in range(6)]
    frames = [np.clip(one + rng.normal(0, 3, one.shape), 0, 255).astype(np.uint8) for one in scenes for _ in range(4)]
    (finding,) = check_pictures(measured(frames)).of_kind("groups")
    assert [len(group) for group in finding.groups] == [4] * 6
    assert "--group-by" in finding.advice


def test_the_same_part_in_other_colours_is_no_copy(pictures: list[np.ndarray]) -> None:
    assert near_groups(measured([*pictures, pictures[7][..., ::-1].copy()])) == []


@given(st.integers(0, 2**32 - 1), st.integers(9, 40), st.floats(0, 1))
def test_parts_in_a_fixture_are_no_copies(seed: int, count: int, jitter: float) -> None:
    """They share all but the grain of their surface, noise, and where exactly they lie."""
    rng = np.random.default_rng(seed)
    part = cv2.GaussianBlur(rng.integers(0, 256, (200, 200)).astype(np.float32), (0, 0), 8)
    part = (part - part.mean()) * 8 + 128
    images = []
    for _ in range(count):
        shift = np.float32([[1, 0, rng.normal(0, jitter)], [0, 1, rng.normal(0, jitter)]])
        moved = cv2.warpAffine(part, shift, (200, 200), borderMode=cv2.BORDER_REFLECT) * rng.uniform(0.95, 1.05)
        grain = 30 * cv2.GaussianBlur(rng.normal(size=moved.shape).astype(np.float32), (0, 0), 1.5)
        grey = np.clip(moved + grain + rng.normal(0, 3, moved.shape), 0, 255).astype(np.uint8)
        images.append(np.dstack([grey] * 3))
    assert near_groups(measured(images)) == []


def test_few_pictures_have_copies_too(pictures: list[np.ndarray]) -> None:
    assert near_groups(measured([*pictures[:2], jpeg(pictures[0], 80)])) == [[0, 2]]
    assert near_groups(measured(pictures[:1])) == []
