from collections.abc import Callable, Sequence

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.defects import KINDS, Image, Mask, apply_defects, make


@pytest.mark.parametrize("kind", KINDS)
def test_workers_do_not_matter_and_seeds_do(make_any: Callable, kind: str, textures: list[Image]) -> None:
    one, four, other = (
        apply_defects(textures, make_any(kind), kind=kind, seed=seed, workers=workers)
        for seed, workers in ((0, 1), (0, 4), (1, 4))
    )
    assert all(np.array_equal(x, y) for x, y in zip(one[0], four[0], strict=True))
    assert all(np.array_equal(x, y) for x, y in zip(one[1], four[1], strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(one[0], other[0], strict=True))


def test_image_depends_on_its_index_alone(textures: list[Image]) -> None:
    """With a fixed pool, the first images come out the same however many follow."""
    pool = [image[::-1] for image in textures]
    few = apply_defects(textures[:2], make("nsa"), kind="nsa", seed=0, sources=pool)
    many = apply_defects(textures, make("nsa"), kind="nsa", seed=0, sources=pool)
    assert all(np.array_equal(x, y) for x, y in zip(few[0], many[0][:2], strict=True))


def test_kinds_draw_independently(textures: list[Image]) -> None:
    masks = [apply_defects(textures, make("simple"), kind=kind, seed=0)[1] for kind in ("simple", "other")]
    assert not any(np.array_equal(x, y) for x, y in zip(*masks, strict=True))


def levels(count: int) -> list[Image]:
    return [np.full((4, 4, 3), level, np.uint8) for level in range(count)]


def record(seen: dict[int, list[int]]):  # type: ignore[no-untyped-def]
    def defect(image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask]:
        seen[int(image[0, 0, 0])] = [int(source[0, 0, 0]) for source in sources]
        return image, np.ones((4, 4), dtype=bool)

    return defect


@pytest.mark.parametrize("as_array", [False, True])
def test_sources_are_the_other_images(as_array: bool) -> None:
    seen: dict[int, list[int]] = {}
    images = np.stack(levels(3)) if as_array else levels(3)
    apply_defects(images, record(seen), kind="x", seed=0)  # type: ignore[arg-type]
    assert seen == {0: [1, 2], 1: [0, 2], 2: [0, 1]}


def test_given_sources_and_a_lone_image() -> None:
    seen: dict[int, list[int]] = {}
    images = levels(3)
    apply_defects(images[:2], record(seen), kind="x", seed=0, sources=images)
    assert seen == {0: [1, 2], 1: [0, 2]}
    apply_defects(images[:1], record(seen), kind="x", seed=0)
    assert seen[0] == [0]


def test_errors_name_the_image_and_no_images_make_none(textures: list[Image]) -> None:
    images = [textures[0], np.zeros((9, 9, 3), np.uint8), textures[1]]
    with pytest.raises(FlawsightError, match="Image 1 of 3"):
        apply_defects(images, make("simple"), kind="simple", seed=0)
    assert apply_defects([], make("simple"), kind="simple", seed=0) == ([], [])
    with pytest.raises(FlawsightError, match="seed"):
        apply_defects(images, make("simple"), kind="simple", seed=-1)
    with pytest.raises(FlawsightError, match="workers"):
        apply_defects(images, make("simple"), kind="simple", seed=0, workers=0)
