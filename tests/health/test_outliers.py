"""Each fault that is put among good pictures is named, and no good picture is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.health import check_pictures, facts_of
from flawsight.health.outliers import FAR, deviations, is_called_thumbnail


def board(size: tuple[int, int] = (80, 96)) -> np.ndarray:
    """Another product: a coloured board."""
    rows, columns = np.indices(size)
    return np.where(((rows // 10 + columns // 10) % 2)[..., None], (20, 160, 60), (30, 90, 200)).astype(np.uint8)


def faulty(image: np.ndarray, fault: str) -> np.ndarray:
    height, width = image.shape[:2]
    return {
        "dark": lambda: (image * 0.4).astype(np.uint8),
        "bright": lambda: np.clip(image * 1.7, 0, 255).astype(np.uint8),
        "blurred": lambda: cv2.GaussianBlur(image, (0, 0), 2),
        "black": lambda: np.zeros_like(image),
        "white": lambda: np.full_like(image, 255),
        "small": lambda: cv2.resize(image, (width // 3, height // 3), interpolation=cv2.INTER_AREA),
        "large": lambda: cv2.resize(image, (width * 3, height * 3)),
        "cropped": lambda: image[: height * 2 // 3],
        "turned": lambda: np.rot90(image).copy(),
        "another product": board,
    }[fault]()


KINDS = {
    "dark": {"brightness", "stranger"},
    "bright": {"brightness", "stranger"},
    "blurred": {"sharpness"},
    "black": {"blank"},
    "white": {"blank"},
    "small": {"thumbnails"},
    "large": {"size"},
    "cropped": {"proportions"},
    "turned": {"proportions"},
    "another product": {"stranger"},
}


@pytest.mark.parametrize("fault", KINDS)
def test_a_fault_is_named_and_nothing_else(put: Callable, found: Callable, texture: Callable, fault: str) -> None:
    put("odd.png", faulty(texture(1000), fault))
    named = {kind: names for kind, names in found().items() if kind != "format"}  # grey, or other proportions, as well
    assert named.keys() & KINDS[fault]
    assert set().union(*named.values()) == {"odd.png"}


def test_one_of_each_fault_is_named_among_all(put: Callable, found: Callable, texture: Callable) -> None:
    for number, fault in enumerate(KINDS):
        put(f"{fault}.png", faulty(texture(1000 + number), fault))
    named = found()
    for fault, kinds in KINDS.items():
        assert any(f"{fault}.png" in named.get(kind, ()) for kind in kinds), fault


@pytest.mark.parametrize("name", ["thumb_1.png", "1_thumb.jpg", "part-thumbnail.png", "a.thumb.png"])
def test_thumbnails_are_known_by_name(folder: Path, found: Callable, name: str) -> None:
    assert is_called_thumbnail(Path(name)) and not is_called_thumbnail(Path("thumbtack.png"))
    shutil.move(folder / "003.png", folder / "x.png")
    (folder / "x.png").rename(folder / name.replace(".jpg", ".png"))
    assert found().keys() == {"thumbnails"}


@pytest.mark.parametrize("count", [8, 12, 30, 100])
def test_of_normal_values_hardly_any_is_far(count: int) -> None:
    rng = np.random.default_rng(count)
    far = [np.abs(deviations(rng.normal(10, 3, count), 1e-9)).max() > FAR for _ in range(2000)]
    assert np.mean(far) < 0.005


@given(st.integers(5, 50), st.floats(-1e3, 1e3), st.floats(1e-6, 10))
def test_equal_values_have_no_deviation(count: int, value: float, least: float) -> None:
    assert not deviations(np.full(count, value), least).any()


@given(st.integers(9, 60), st.floats(1, 100))
def test_the_one_that_differs_is_far_by_the_least_deviation(count: int, off: float) -> None:
    values = np.zeros(count)
    values[3] = off
    found = deviations(values, 0.1)
    assert found[3] == pytest.approx(off / 0.1 / (1 + 5 / count)) and np.count_nonzero(found) == 1


def test_two_kinds_of_good_pictures_are_both_usual(folder: Path, put: Callable, found: Callable) -> None:
    """A third of the set is no exception."""
    for number in range(12):
        image = board()
        noise = np.random.default_rng(number).normal(0, 12, image.shape)
        put(f"board_{number}.png", np.clip(image + noise, 0, 255).astype(np.uint8))
    assert not found().keys() & {"stranger", "brightness", "sharpness"}


def test_few_pictures_have_no_outliers(texture: Callable) -> None:
    images = [texture(0), texture(1), faulty(texture(2), "dark")]
    facts = [facts_of(Path(f"{n}.png"), image, image.shape[:2]) for n, image in enumerate(images)]
    assert check_pictures(facts).findings == ()
    assert check_pictures([]).typical is None
