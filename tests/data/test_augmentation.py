"""Augmentation: what each group does and leaves alone, how often, and always the same for the same seed."""

import cv2
import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.data import AUGMENTATIONS, augment, augmented, turned


def picture(shape: tuple[int, int] = (48, 64), seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(*shape, 3)).astype(np.float32)
    return np.clip(130 + 200 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def many(image: np.ndarray, label_preserving: tuple[str, ...], count: int = 400, **options: float) -> list[np.ndarray]:
    return [augment(image, np.random.default_rng(seed), label_preserving, **options) for seed in range(count)]


@pytest.mark.parametrize("group", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(48, 64), (40, 40)])
def test_shape_and_type_stay_and_the_image_is_not_modified(group: str, shape: tuple[int, int]) -> None:
    image = picture(shape)
    before = image.copy()
    results = many(image, (group,), 60)
    assert all(r.shape == image.shape and r.dtype == np.uint8 and r.flags.c_contiguous for r in results)
    assert any(not np.array_equal(result, image) for result in results)
    for result in results:
        result[:] = 0
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("group", "share"),
    [
        ("blur", 0.1),
        ("contrast", 0.15),
        ("colour", 0.15),
        ("noise", 0.1),
        ("flip", 0.25),
        ("shift", 0.1),
        ("rotate", 0.1),
        ("rotate90", 0.5 * 0.5 * 0.75),
    ],
)
def test_how_often_each_group_is_applied(group: str, share: float) -> None:
    image = picture()
    changed = np.mean([not np.array_equal(result, image) for result in many(image, (group,))])
    assert changed == pytest.approx(share, abs=0.06)


def test_the_defaults_move_nothing() -> None:
    # A bright square stays where it was, however the rest of the image changes.
    image = np.full((64, 64, 3), 90, np.uint8)
    image[10:20, 40:50] = 200
    for result in many(image, ("blur", "contrast", "colour", "noise")):
        grey = cv2.GaussianBlur(result.mean(2), (0, 0), 3)
        assert np.hypot(*np.subtract(np.unravel_index(grey.argmax(), grey.shape), (14.5, 44.5))) < 4
    defaults = [augment(image, np.random.default_rng(seed)) for seed in range(400)]
    assert all(map(np.array_equal, defaults, many(image, ("blur", "contrast", "colour", "noise"))))


def test_flips_and_quarter_turns_are_exact() -> None:
    image = picture((40, 40))
    mirrored = {result.tobytes() for result in many(image, ("flip",))}
    assert mirrored == {image.tobytes(), image[:, ::-1].tobytes()}
    turned = {result.tobytes() for result in many(image, ("rotate90",))}
    assert turned == {np.rot90(image, quarters).tobytes() for quarters in range(4)}


def test_rotations_and_shifts_keep_their_bounds() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[45:56, 65:76] = 255  # 20 pixels to the right of the centre

    def places(label_preserving: tuple[str, ...], **options: float) -> np.ndarray:
        moments = [cv2.moments(result[..., 0]) for result in many(image, label_preserving, **options)]
        return np.array([(m["m10"] / m["m00"] - 50, m["m01"] / m["m00"] - 50) for m in moments])

    for most in (15.0, 45.0):
        right, down = places(("rotate",), most_degrees=most).T
        angles = np.degrees(np.arctan2(down, right))
        assert 0.8 * most < np.abs(angles).max() <= most + 0.5
        assert np.hypot(right, down) == pytest.approx(np.full(400, 20), abs=0.5)
    right, down = places(("shift",)).T
    assert 3 < np.abs(down).max() < 5.6 and 20 * 0.95 - 5.6 < right.min() < right.max() < 20 * 1.1 + 5.6


def test_noise_is_as_strong_as_stated() -> None:
    image = np.full((80, 80, 3), 128, np.uint8)
    noisy = [result for result in many(image, ("noise",)) if not np.array_equal(result, image)]
    spreads = np.array([result.std() for result in noisy])
    assert 255 * 0.009 < spreads.min() < 255 * 0.015 and 255 * 0.025 < spreads.max() < 255 * 0.031
    grey = [bool((result == result[..., :1]).all()) for result in noisy]
    assert any(grey) and not all(grey)


def test_enlarged_is_lazy_seeded_and_independent_of_order() -> None:
    class Counting(list):
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            return super().__getitem__(index)

    images = Counting([picture(seed=seed) for seed in range(3)])
    label_preserving = ("noise", "flip")
    more = augmented(images, 20, label_preserving, seed=1)
    assert len(more) == 60 and images.reads == 0
    forwards = [more[number] for number in range(60)]
    assert images.reads == 60
    assert all(map(np.array_equal, forwards, augmented(images, 20, label_preserving, seed=1)[0:60]))
    assert np.array_equal(more[-1], forwards[59])
    assert not all(map(np.array_equal, forwards, augmented(images, 20, label_preserving, seed=2)))
    assert len({result.tobytes() for result in forwards[1::3]}) > 2  # the passes of one image differ
    with pytest.raises(IndexError):
        more[60]


@pytest.mark.parametrize(
    ("allowed", "count"), [((), 1), (("flip",), 2), (("rotate90",), 4), (("noise", "flip", "rotate90"), 8)]
)
def test_all_orientations_that_are_allowed(allowed: tuple[str, ...], count: int) -> None:
    squares = [np.arange(48, dtype=np.uint8).reshape(4, 4, 3), np.full((4, 4, 3), 9, np.uint8)]
    made = turned(squares, allowed)
    assert len(made) == 2 * count and np.array_equal(made[0], squares[0]) and np.array_equal(made[-1], squares[1])
    found = {image.tobytes() for image in made[::2]}
    assert len(found) == count
    # Closed: what is allowed once is allowed again.
    assert {again.tobytes() for image in made[::2] for again in turned([image], allowed)} == found
    assert (squares[0][:, ::-1].tobytes() in found) == ("flip" in allowed)
    assert (squares[0].transpose(1, 0, 2)[::-1].tobytes() in found) == ("rotate90" in allowed)


def test_nonsense() -> None:
    with pytest.raises(FlawsightError, match="'cutout'"):
        augment(picture(), np.random.default_rng(0), ("flip", "cutout"))
    with pytest.raises(FlawsightError, match="'cutout'"):
        augmented([picture()], 2, ("cutout",))
    with pytest.raises(FlawsightError, match="passes"):
        augmented([picture()], 0)
