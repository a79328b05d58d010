"""What every kind promises, and how it refuses bad input."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.defects import KINDS, Image, Product, make

ALL = pytest.mark.parametrize("kind", KINDS)
ON_OBJECT = pytest.mark.parametrize("kind", ["nsa", "perlin", "sdas", "subtle", "scratch"])


@ALL
@pytest.mark.parametrize("seed", range(8))
def test_result_and_label(make_any: Callable, kind: str, seed: int, textures: list[Image]) -> None:
    image, sources = textures[0], textures[1:]
    for array in textures:
        array.setflags(write=False)
    before = [array.copy() for array in textures]
    result, mask = make_any(kind)(image, np.random.default_rng(seed), sources)
    assert result.shape == image.shape and result.dtype == np.uint8
    assert mask.shape == image.shape[:2] and mask.dtype == bool
    assert 0 < mask.mean() < 0.6
    assert all(np.array_equal(array, old) for array, old in zip(textures, before, strict=True))
    assert not np.shares_memory(result, image)
    # What is labelled changed, and what changed much is labelled or borders on the label.
    change = cv2.absdiff(image, result).mean(axis=2)
    assert (change[mask] > 0).mean() > 0.5
    near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert change[~near].max(initial=0) <= max(3, 0.5 * change.max())
    assert change[mask].sum() > 0.5 * change.sum()


@ALL
def test_same_state_same_result(make_any: Callable, kind: str, textures: list[Image]) -> None:
    first, again, other = (make_any(kind)(textures[0], np.random.default_rng(s), textures[1:]) for s in (3, 3, 4))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


@ALL
@pytest.mark.parametrize("shape", [(32, 32), (64, 97), (255, 120), (512, 300)])
def test_any_size_with_sources_of_another(
    make_any: Callable, kind: str, shape: tuple[int, int], textures: list[Image]
) -> None:
    image = cv2.resize(textures[0], shape[::-1]).astype(np.uint8)
    for seed in range(3):
        result, mask = make_any(kind)(image, np.random.default_rng(seed), textures[1:3])
        assert result.shape[:2] == mask.shape == shape and mask.any()


@ALL
def test_mirrored_views_and_the_image_as_its_own_source(make_any: Callable, kind: str, textures: list[Image]) -> None:
    view = textures[0][:, ::-1]
    _, mask = make_any(kind)(view, np.random.default_rng(0), [view])
    assert mask.any()


@ON_OBJECT
def test_label_keeps_to_the_object(make_any: Callable, kind: str, discs: list[Image], disc_product: Product) -> None:
    on_disc = discs[0].min(axis=2) > 31
    for seed in range(6):
        _, mask = make_any(kind, product=disc_product)(discs[0], np.random.default_rng(seed), discs[1:])
        # NSA may put material of another disc half beside this one; the others stay on it.
        assert (mask & on_disc).sum() > (0.2 if kind == "nsa" else 0.99) * mask.sum()


@ON_OBJECT
def test_no_object_no_defect(make_any: Callable, kind: str, disc_product: Product) -> None:
    empty = np.full((64, 64, 3), 11, np.uint8)
    with pytest.raises(FlawsightError, match="no defect could be placed"):
        make_any(kind, product=disc_product)(empty, np.random.default_rng(0), [empty])


@pytest.mark.parametrize("kind", ["perlin", "sdas", "subtle", "scratch", "nsa"])
def test_grey_stays_grey(make_any: Callable, kind: str, textures: list[Image]) -> None:
    grey = [np.repeat(image[..., :1], 3, axis=2) for image in textures]
    for seed in range(6):
        result, _ = make_any(kind)(grey[0], np.random.default_rng(seed), grey[1:])
        assert np.ptp(result, axis=2).max() == 0


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        [[1]],
    ],
)
def test_wrong_images_are_refused(image: Image, textures: list[Image]) -> None:
    with pytest.raises(FlawsightError):
        make("simple")(image, np.random.default_rng(0), textures)
    with pytest.raises(FlawsightError, match="source image"):
        make("cutpaste")(textures[0], np.random.default_rng(0), [image])


def test_wrong_generator_and_missing_sources_are_refused(textures: list[Image]) -> None:
    with pytest.raises(FlawsightError, match="default_rng"):
        make("simple")(textures[0], 3, textures)  # type: ignore[arg-type]
    with pytest.raises(FlawsightError, match="No source images"):
        make("simple")(textures[0], np.random.default_rng(0), [])
