import numpy as np
import pytest

from flawsight.defects import Image, Product, make
from flawsight.defects._augment import AUGMENTERS, augment, shuffle_tiles
from flawsight.defects.perlin import perlin_noise


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


def test_blend_is_the_stated_mixture(textures: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flawsight.defects.perlin.augment", lambda image, rng: image)
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
