"""What every kind promises, and how it refuses bad input."""

from collections.abc import Callable

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.defects import KINDS, Image, Product, make
from flawsight.testing import check_defect

ON_OBJECT = pytest.mark.parametrize("kind", ["nsa", "perlin", "sdas", "subtle", "scratch"])


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(make_any: Callable, kind: str) -> None:
    check_defect(make_any(kind))


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
