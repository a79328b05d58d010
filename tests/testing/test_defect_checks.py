"""Flaws of a kind of defect are found; so is an expected one of ours, by its name."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from flawsight.defects import Image, Mask, SyntheticDefect, make
from flawsight.testing import check_defect

SIMPLE = make("simple")
Answer = tuple[Image, Mask]


def of_one_size(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    result, mask = SIMPLE(image, rng, sources)
    return (result, mask) if image.shape == (128, 128, 3) else (result, mask[:10])


def of_float(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    result, mask = SIMPLE(image, rng, sources)
    return result.astype(np.float32), mask


def of_grey_mask(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    result, mask = SIMPLE(image, rng, sources)
    return result, mask.astype(np.uint8)


def of_a_wrong_label(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    result, mask = SIMPLE(image, rng, sources)
    return result, np.roll(mask, 64, 0)


def of_everything(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    return SIMPLE(image, rng, sources)[0], np.ones(image.shape[:2], bool)


def in_place(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    result, mask = SIMPLE(image, rng, sources)
    image.setflags(write=True)
    image[:] = result
    return image, mask


def by_chance(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    return SIMPLE(image, np.random.default_rng(), sources)


def always_the_same(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    return SIMPLE(image, np.random.default_rng(0), sources)


def of_other_sources(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Answer:
    result, mask = SIMPLE(image, rng, sources)
    return result, mask & (not any(np.shares_memory(image, source) for source in sources))


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        (of_one_size, "check_any_size .* no defect on an image"),
        (of_float, "check_result_and_label of the defect 'function': a result is float32"),
        (of_grey_mask, "a mask is uint8"),
        (of_a_wrong_label, "most of what is labelled did not change"),
        (of_everything, "a mask covers 100%"),
        (in_place, "inputs changed"),
        (by_chance, "check_same_state_same_result .* the same state"),
        (always_the_same, "another state"),
        (of_other_sources, "check_views_and_own_source .* no defect on a mirrored view"),
    ],
)
def test_flaws_are_found(flaw: Callable[..., Answer], words: str) -> None:
    defect: SyntheticDefect = flaw
    with pytest.raises(AssertionError, match=words):
        check_defect(defect)


def test_a_kind_that_lacks_what_it_needs() -> None:
    with pytest.raises(AssertionError, match=r"check_result_and_label of the defect 'Perlin': .*could be placed"):
        check_defect(make("perlin", min_area=0.99))
    check_defect("simple")
