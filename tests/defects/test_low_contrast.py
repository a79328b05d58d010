"""The two hard kinds: subtle stains and scratches."""

import cv2
import numpy as np
import pytest

from flawsight.defects import Image, make
from flawsight.defects.kinds.local import local_sigmas, shifted
from flawsight.defects.kinds.subtle import blob


def grey_noise(sigma: float) -> Image:
    noise = np.random.default_rng(0).normal(128, sigma, (256, 256, 1)) + np.zeros(3)
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [5.0, 20.0])
def test_subtle_stays_within_two_sigmas(sigma: float) -> None:
    image = grey_noise(sigma)
    for seed in range(25):
        result, mask = make("subtle", contrast=(2.0, 2.0))(image, np.random.default_rng(seed), [image])
        change = result.astype(float) - image
        shift = change[mask].mean()
        if abs(shift) > sigma / 2:  # a change of brightness, not of contrast: full in the middle of the blob
            assert np.abs(change).max() < 2.6 * sigma
        assert 1.0 < np.abs(change[mask]).mean() < 2.2 * sigma


def test_subtle_covers_the_stated_sizes() -> None:
    image = grey_noise(10.0)
    sides = [
        max(cv2.boundingRect(make("subtle")(image, np.random.default_rng(s), [image])[1].astype(np.uint8))[2:]) / 256
        for s in range(80)
    ]
    assert 0.02 <= min(sides) < 0.08 and 0.25 < max(sides) <= 0.6


def test_scratch_is_thin_long_and_off_by_two_to_four_sigmas() -> None:
    image = grey_noise(8.0)
    signs = set()
    for seed in range(40):
        result, mask = make("scratch")(image, np.random.default_rng(seed), [image])
        assert cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max() <= 3.5
        assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2
        _, (long, wide), _ = cv2.minAreaRect(np.argwhere(mask).astype(np.float32))
        assert max(long, wide) <= 0.6 * 256 + 6
        change = result.astype(float) - image
        peak = np.abs(change).max()
        assert 2 * 6.5 <= peak <= 4 * 9.5
        signs.add(np.sign(change[mask].mean()))
    assert signs == {-1.0, 1.0}


def test_lowest_sigma_stands_in_on_a_flat_product() -> None:
    flat = np.full((128, 128, 3), 100, np.uint8)
    result, _ = make("scratch", contrast=(2.0, 2.0), lowest_sigma=5.0)(flat, np.random.default_rng(0), [flat])
    assert np.abs(result.astype(int) - 100).max() == 10


def test_local_sigmas_by_hand() -> None:
    """Grey 10 and 30 in equal parts: sigma 10. A second, disallowed half must not count."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[::2, :4], image[1::2, :4], image[:, 4:] = 10, 30, 255
    allowed = np.zeros((8, 8), dtype=bool)
    allowed[:, :4] = True
    assert local_sigmas(image, allowed, (4, 2), 10) == (10.0, 0.0)
    # Red alternates by +-30: grey by +-10, so red less grey by +-20, green and blue by -+10: (20 + 10 + 10) / 3
    image[:, :4] = 100
    image[::2, :4, 0], image[1::2, :4, 0] = 70, 130
    assert np.allclose(local_sigmas(image, allowed, (4, 2), 10), (10.0, 40 / 3))


def test_shifted_labels_half_weight_and_refuses_saturation() -> None:
    image = np.full((1, 4, 3), 250, np.uint8)
    weight = np.array([[0.0, 0.4, 0.5, 1.0]], np.float32)
    drawn = shifted(image, weight, -20.0)
    assert drawn is not None
    assert drawn[0][0, :, 0].tolist() == [250, 242, 240, 230]
    assert drawn[1].tolist() == [[False, False, True, True]]
    assert shifted(np.full_like(image, 255), weight, 20.0) is None


def test_blob_lies_around_its_centre() -> None:
    for seed in range(20):
        mask = blob((200, 100), (120, 40), 40.0, np.random.default_rng(seed))
        rows, columns = np.nonzero(mask)
        assert abs(rows.mean() - 120) < 12 and abs(columns.mean() - 40) < 12
        assert mask.sum() < np.pi * 40**2
        assert cv2.connectedComponents(mask)[0] == 2
