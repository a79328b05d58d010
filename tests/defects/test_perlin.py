import numpy as np
import pytest
from scipy.ndimage import rotate

from flawsight.defects import Image, Product, make
from flawsight.defects.kinds.augment import AUGMENTERS, augment, shuffle_tiles
from flawsight.defects.kinds.blended import perlin_noise


class FixedAngles:
    """A generator whose every gradient points along the columns, the second coordinate."""

    def uniform(self, low: float, high: float, shape: tuple[int, int]) -> np.ndarray:
        return np.zeros(shape)


def test_noise_by_hand() -> None:
    """One cell of 4x4 pixels, all gradients (0, 1): sqrt(2) * (x - fade(x)) in every row, x = 0, 1/4, 1/2, 3/4."""
    noise = perlin_noise((4, 4), (1, 1), FixedAngles())  # type: ignore[arg-type]
    # fade(1/4) = 1/64 * (1/4 * (6/4 - 15) + 10) = 0.103515625, and fade(3/4) = 1 - fade(1/4)
    row = np.sqrt(2) * np.array([0.0, 0.25 - 0.103515625, 0.0, 0.75 - 0.896484375])
    assert np.allclose(noise, row, atol=1e-6)


def test_noise_vanishes_on_the_lattice_and_keeps_its_range() -> None:
    rng = np.random.default_rng(0)
    for cells in ((1, 1), (4, 16), (32, 2)):
        noise = perlin_noise((64, 64), cells, rng)
        assert np.abs(noise[:: 64 // cells[0], :: 64 // cells[1]]).max() < 1e-6
        assert np.abs(noise).max() <= 1 and noise.std() > 0.05


def other_region(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The rule of paper E's code by its definition: sums over corners, SciPy's rotation, above 0.5."""
    cells = 2 ** rng.integers(0, 6, 2)
    gradients = rng.normal(size=(*(cells + 1), 2))
    gradients /= np.linalg.norm(gradients, axis=2, keepdims=True)
    place = np.moveaxis(np.indices(shape), 0, -1) * cells / shape
    cell, noise = np.floor(place).astype(int), np.zeros(shape)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        offset = place - cell - corner
        weight = 1 - np.abs(offset) ** 3 * (6 * offset**2 - 15 * np.abs(offset) + 10)
        noise += weight.prod(2) * (gradients[tuple(np.moveaxis(cell + corner, -1, 0))] * offset).sum(2)
    return rotate(np.sqrt(2) * noise, rng.uniform(-90, 90), reshape=False, order=1) > 0.5


def test_regions_have_the_statistics_of_the_papers_code() -> None:
    """Share of the image, its spread, and how many regions are empty, over 400 draws of each."""
    defect = make("perlin")
    ours, theirs = (
        np.array([region((64, 64), np.random.default_rng(seed)).mean() for seed in range(400)])
        for region in (defect._region, other_region)  # type: ignore[attr-defined]
    )
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.15)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.2)
    assert (ours == 0).mean() == pytest.approx((theirs == 0).mean(), abs=0.05)


def test_blend_is_the_stated_mixture(textures: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flawsight.defects.kinds.perlin.augment", lambda image, rng: image)
    foreign = np.full((40, 30, 3), (0, 100, 250), np.uint8)
    defect = make("perlin", textures=[foreign], opacity=(0.25, 0.25))
    result, mask = defect(textures[0], np.random.default_rng(0), textures[1:])
    expected = 0.75 * textures[0].astype(float) + 0.25 * np.array([0, 100, 250])
    assert np.abs(result - expected)[mask].max() <= 0.51
    assert np.array_equal(result[~mask], textures[0][~mask])


def test_opacity_zero_shows_nothing(textures: list[Image]) -> None:
    with pytest.raises(ValueError, match="no defect could be placed"):
        make("perlin", opacity=(0.0, 0.0), redraws=2)(textures[0], np.random.default_rng(0), textures[1:])


def test_region_keeps_to_the_foreground(discs: list[Image], disc_product: Product) -> None:
    background = discs[0].max(axis=2) < 13
    background[24:104, 24:104] = False  # the median filter of the foreground rounds the outline
    result, _ = make("perlin", product=disc_product)(discs[0], np.random.default_rng(2), discs[1:])
    assert np.array_equal(result[background], discs[0][background])


@pytest.mark.parametrize("augmenter", AUGMENTERS)
def test_augmenters_change_a_copy(augmenter, textures: list[Image]) -> None:  # type: ignore[no-untyped-def]
    image = textures[0]
    before = image.copy()
    outcomes = [augmenter(image, np.random.default_rng(seed)) for seed in range(4)]
    assert all(out.shape == image.shape and out.dtype == np.uint8 for out in outcomes)
    assert any(not np.array_equal(out, image) for out in outcomes)
    assert np.array_equal(image, before)


def test_augmentation_makes_foreign(textures: list[Image]) -> None:
    changes = [
        np.abs(augment(textures[0], np.random.default_rng(seed)).astype(int) - textures[0]).mean() for seed in range(20)
    ]
    assert np.median(changes) > 10


def test_shuffled_tiles_are_the_same_tiles() -> None:
    image = np.repeat(np.arange(16, dtype=np.uint8).reshape(4, 4), 5, axis=0).repeat(3, axis=1)
    image = np.repeat(image[..., None], 3, axis=2)
    shuffled = shuffle_tiles(image, np.random.default_rng(0))
    assert not np.array_equal(shuffled, image)
    assert sorted(shuffled[::5, ::3, 0].ravel()) == list(range(16))
    assert np.array_equal(shuffled, shuffled[::5, ::3].repeat(5, axis=0).repeat(3, axis=1))
    assert shuffle_tiles(image[:19, :10], np.random.default_rng(0)).shape == (19, 10, 3)
