"""What masks mean is decided once for a data set: the same region whatever the tool wrote, or a clear refusal."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import DEFECTIVE, GOOD, Sample, learn_masks

SIZE = (96, 128)
Write = Callable[[np.ndarray], Image.Image]


def region(seed: int) -> np.ndarray:
    """Some blobs, a few percent of the picture."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros(SIZE, np.uint8)
    for _ in range(2):
        centre = int(rng.integers(30, 98)), int(rng.integers(30, 66))
        cv2.ellipse(drawn, centre, (int(rng.integers(6, 14)), int(rng.integers(4, 9))), 30, 0, 360, 1, -1)
    return drawn.astype(bool)


def samples(folder: Path, masks: list[Image.Image], suffix: str = ".png", **options: object) -> list[Sample]:
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, mask in enumerate(masks):
        picture, file = folder / f"{number}.png", folder / f"{number}_mask{suffix}"
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(picture)
        mask.save(file, **options)
        found.append(Sample(picture, DEFECTIVE, (file,), "dent"))
    return found


def grey(marked: float, ground: float = 0, dtype: type = np.uint8) -> Write:
    return lambda mask: Image.fromarray(np.where(mask, dtype(marked), dtype(ground)))


def coloured(marked: tuple[int, ...], ground: tuple[int, ...]) -> Write:
    return lambda mask: Image.fromarray(np.where(mask[..., None], np.uint8(marked), np.uint8(ground)))


def palette(mask: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", SIZE[::-1], mask.astype(np.uint8).tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0])
    return image


def blind_palette(mask: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", SIZE[::-1], mask.astype(np.uint8).tobytes())
    image.putpalette([0, 0, 0] * 256)
    return image


def two_kinds(mask: np.ndarray) -> Image.Image:
    values = mask.astype(np.uint8)
    values[:48][mask[:48]] = 2
    return Image.fromarray(values)


CRISP = {
    "0 and 255": grey(255),
    "0 and 1": grey(1),
    "1 bit": Image.fromarray,
    "16 bit": grey(65535, dtype=np.uint16),
    "16 bit labels": grey(1, dtype=np.uint16),
    "labels from 1": grey(2, 1),
    "two kinds": two_kinds,
    "palette": palette,
    "palette of one colour": blind_palette,
    "red on black": coloured((200, 0, 0), (0, 0, 0)),
    "white ground": grey(0, 255),
    "white ground, labels": grey(0, 1),
    "white ground, 1 bit": lambda mask: Image.fromarray(~mask),
    "red on white": coloured((200, 0, 0), (255, 255, 255)),
    "opaque on transparent": coloured((0, 0, 0, 255), (0, 0, 0, 0)),
    "white and opaque": coloured((255, 255, 255, 255), (255, 255, 255, 0)),
    "transparent holes": coloured((0, 0, 0, 0), (0, 0, 0, 255)),
    "alpha without meaning": coloured((255, 255, 255, 0), (0, 0, 0, 0)),
    "red on transparent": coloured((200, 0, 0, 255), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("write", CRISP.values(), ids=list(CRISP))
def test_crisp_masks_mark_the_same_pixels(tmp_path, write):
    regions = [region(seed) for seed in range(5)]
    found = samples(tmp_path, [write(mask) for mask in regions])
    masks = learn_masks(found)
    for sample, mask in zip(found, regions, strict=True):
        assert np.array_equal(masks.of(sample, SIZE), mask)
    assert masks.to_dict()["files"] == 5 and masks.rule.said in masks.said
    assert not masks.rule.is_soft and not masks.warnings


def test_what_was_decided_is_said(tmp_path):
    regions = [region(seed) for seed in range(3)]
    said = {
        name: learn_masks(samples(tmp_path / name, [CRISP[name](mask) for mask in regions])).said
        for name in ("two kinds", "white ground", "opaque on transparent")
    }
    assert "values: 0, 1, 2" in said["two kinds"]
    assert "255 is ground" in said["white ground"] and "the ground is light" in said["white ground"]
    assert "opaque counts" in said["opaque on transparent"]


def feathered(sigma: float, invert: bool = False, dtype: type = np.uint8) -> Write:
    top = np.iinfo(dtype).max

    def write(mask: np.ndarray) -> Image.Image:
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
        soft = soft / soft.max()
        return Image.fromarray(np.rint((1 - soft if invert else soft) * top).astype(dtype))

    return write


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


SOFT = {
    "sigma 1": feathered(1),
    "sigma 4": feathered(4),
    "16 bit": feathered(2, dtype=np.uint16),
    "inverted": feathered(2, invert=True),
}


@pytest.mark.parametrize("write", SOFT.values(), ids=list(SOFT))
def test_soft_edges_are_cut_at_half_of_the_maximum(tmp_path, write):
    regions = [region(seed) for seed in range(4)]
    found = samples(tmp_path, [write(mask) for mask in regions])
    masks = learn_masks(found)
    assert masks.rule.is_soft and "half of the maximum" in masks.said
    for sample, mask in zip(found, regions, strict=True):
        half = np.asarray(write(mask)).astype(float)
        half = half < half.max() / 2 if masks.rule.ground == "light" else half > half.max() / 2
        assert np.array_equal(masks.of(sample, SIZE), half)


@pytest.mark.parametrize("quality", [40, 75, 95, 100])
@pytest.mark.parametrize("again", [False, True], ids=["jpeg", "jpeg saved as png"])
@pytest.mark.parametrize("ground", [0, 255])
def test_masks_that_were_compressed(tmp_path, quality, again, ground):
    regions = [region(seed) for seed in range(4)]
    found = samples(tmp_path, [grey(255 - ground, ground)(mask) for mask in regions], ".jpg", quality=quality)
    if again:
        files = [Image.open(sample.mask_path) for sample in found]
        found = samples(tmp_path / "again", files)
    masks = learn_masks(found)
    assert masks.rule.is_soft
    for sample, mask in zip(found, regions, strict=True):
        assert overlap(masks.of(sample, SIZE), mask) > 0.93


def test_a_mask_resized_smoothly(tmp_path):
    regions = [region(seed) for seed in range(4)]
    small = [
        Image.fromarray(mask.astype(np.uint8) * 255).resize((100, 75), Image.Resampling.BILINEAR) for mask in regions
    ]
    found = samples(tmp_path, [mask.resize(SIZE[::-1], Image.Resampling.BILINEAR) for mask in small])
    masks = learn_masks(found)
    assert masks.rule.is_soft
    for sample, mask in zip(found, regions, strict=True):
        assert overlap(masks.of(sample, SIZE), mask) > 0.85


def test_thin_lines_of_labels_are_not_soft(tmp_path):
    drawn = []
    for seed in range(4):
        rng, values = np.random.default_rng(seed), np.zeros(SIZE, np.uint8)
        for label in (1, 2, 3):
            cv2.line(values, tuple(map(int, rng.integers(0, 90, 2))), tuple(map(int, rng.integers(0, 90, 2))), label, 1)
        drawn.append(values)
    found = samples(tmp_path, [Image.fromarray(values) for values in drawn])
    masks = learn_masks(found)
    assert all(np.array_equal(masks.of(s, SIZE), values > 0) for s, values in zip(found, drawn, strict=True))


def test_large_defects_in_the_middle_are_no_inversion(tmp_path):
    mask = np.zeros(SIZE, bool)
    mask[10:-10, 10:-10] = True
    found = samples(tmp_path, [grey(255)(mask)] * 3)
    assert learn_masks(found).of(found[0], SIZE)[40, 40]


def test_one_whole_picture_among_others(tmp_path):
    regions = [*(region(seed) for seed in range(4)), np.ones(SIZE, bool)]
    found = samples(tmp_path, [grey(255)(mask) for mask in regions])
    assert learn_masks(found).of(found[-1], SIZE).all()


def blurred_labels(sigma: float) -> Image.Image:
    values = np.zeros(SIZE, np.uint8)
    for place, value in enumerate((60, 120, 180, 240)):
        values[20:60, 6 + 30 * place : 32 + 30 * place] = value
    return Image.fromarray(cv2.GaussianBlur(values, (0, 0), sigma))


def test_regions_that_soft_edges_hide_are_said(tmp_path):
    values = np.zeros(SIZE, np.uint8)
    values[20:50, 10:40], values[20:50, 80:110] = 90, 250
    (warning,) = learn_masks(samples(tmp_path, [Image.fromarray(cv2.GaussianBlur(values, (0, 0), 6))] * 2)).warnings
    assert "0_mask.png, 1_mask.png" in warning and "below half" in warning


REFUSED = {
    "labels with blurred edges": ([blurred_labels(1)] * 3, "blurred edges"),
    "half of them inverted": (
        [grey(255)(region(s)) for s in range(3)] + [grey(0, 255)(region(s)) for s in range(3)],
        "opposite ground",
    ),
    "all of every picture": ([grey(255)(np.ones(SIZE, bool))] * 3, "cannot be told"),
    "a ground in the middle": (
        [Image.fromarray(np.where(region(1), 0, np.where(region(2), 255, 128)).astype("u1"))] * 3,
        "cannot be told",
    ),
}


@pytest.mark.parametrize(("images", "message"), REFUSED.values(), ids=list(REFUSED))
def test_more_than_one_meaning_is_refused(tmp_path, images, message):
    with pytest.raises(FlawsightError, match=message):
        learn_masks(samples(tmp_path, images))


def test_labels_in_jpeg_are_refused(tmp_path):
    with pytest.raises(FlawsightError, match="do not keep labels"):
        learn_masks(samples(tmp_path, [grey(1)(region(s)) for s in range(3)], ".jpg"))


def test_one_inverted_mask_among_many_is_said(tmp_path):
    found = samples(tmp_path, [grey(255)(region(s)) for s in range(9)] + [grey(0, 255)(region(9))])
    (warning,) = learn_masks(found).warnings
    assert "9_mask.png" in warning


def test_all_contradictions_are_named_at_once(tmp_path):
    found = samples(tmp_path, [grey(255)(region(s)) for s in range(6)])
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "0_mask.png")
    Image.fromarray(np.zeros((SIZE[1], SIZE[0]), np.uint8)).save(tmp_path / "1_mask.png")
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(tmp_path / "2_mask.png")
    (tmp_path / "3_mask.png").write_bytes((tmp_path / "4_mask.png").read_bytes()[:80])
    found[5] = Sample(found[5].path, GOOD, found[5].masks)
    with pytest.raises(FlawsightError) as caught:
        learn_masks(found)
    said = str(caught.value)
    assert said.startswith("5 problems: ") and "\n" not in said
    for part in (
        "0_mask.png marks nothing", "1_mask.png is 96 x 128", "turned", "2_mask.png is 50 x 50", "3_mask.png",
        "5_mask.png marks", "which is good",
    ):  # fmt: skip
        assert part in said


def test_an_empty_mask_beside_another_is_fine(tmp_path):
    found = samples(tmp_path, [grey(255)(region(s)) for s in range(3)])
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "none.png")
    found[0] = Sample(found[0].path, DEFECTIVE, (*found[0].masks, tmp_path / "none.png"), "dent")
    good = Sample(found[1].path, GOOD, (tmp_path / "none.png",))
    assert np.array_equal(learn_masks([*found, good]).of(found[0], SIZE), region(0))


def test_without_masks(tmp_path):
    masks = learn_masks([Sample(tmp_path / "a.png", DEFECTIVE, kind="dent")])
    assert masks.said == "none" and masks.rule is None
    assert masks.of(Sample(tmp_path / "a.png", DEFECTIVE), SIZE) is None
    assert not masks.of(Sample(tmp_path / "a.png", GOOD), SIZE).any()


def test_small_blurred_defects_count_as_well_as_large_ones(tmp_path):
    regions = []
    for radius in (6, 9, 12, 20):
        drawn = np.zeros(SIZE, np.uint8)
        cv2.circle(drawn, (60, 48), radius, 1, -1)
        regions.append(drawn)
    found = samples(tmp_path, [Image.fromarray(cv2.GaussianBlur(mask * 255, (0, 0), 6)) for mask in regions])
    masks = learn_masks(found)
    for sample, mask in zip(found, regions, strict=True):
        assert overlap(masks.of(sample, SIZE), mask > 0) > 0.5


def test_an_empty_jpeg_mask_marks_nothing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 4, SIZE).astype(np.uint8)
    found = samples(tmp_path, [*(grey(255)(region(s)) for s in range(4)), Image.fromarray(noise)], ".jpg")
    with pytest.raises(FlawsightError, match=r"4_mask\.jpg marks nothing"):
        learn_masks(found)
