import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.defects import Image, Mask, Product, estimate_product, foreground

SIDE = 128


def noise(seed: int, mean: float, sigma: float) -> Image:
    return np.clip(np.random.default_rng(seed).normal(mean, sigma, (SIDE, SIDE, 1)) + np.zeros(3), 0, 255).astype(
        np.uint8
    )


def ellipse(half_width: int, half_height: int, angle: float = 0) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (64, 64), (half_width, half_height), angle, 0, 360, 1, -1)
    return mask > 0


def objects(shape: list[Mask], background: float, brightness: float) -> list[Image]:
    return [
        np.where(mask[..., None], noise(seed, brightness, 20), noise(100 + seed, background, 3))
        for seed, mask in enumerate(shape)
    ]


def test_bright_disc_on_dark() -> None:
    """A disc of 70 % of the frame, as a hazelnut: NSA's table says half-sizes up to 0.35."""
    masks = [ellipse(45, 45)] * 8
    images = objects(masks, 20, 120)
    product = estimate_product(images)
    assert not product.texture and product.num_patches == 3 and product.resize == (0.7, 1.3)
    assert product.background is not None and abs(product.background[0] - 20) < 2
    assert product.half_height == pytest.approx((0.03, 0.32), abs=0.03) == product.half_width
    found = foreground(images[0], product)
    assert (found & masks[0]).sum() / (found | masks[0]).sum() > 0.95


def test_wide_object_on_bright() -> None:
    """As a capsule: flat patches, up to 0.15 high and 0.40 wide in NSA's table."""
    product = estimate_product(objects([ellipse(56, 23)] * 8, 220, 110))
    assert product.half_height[1] == pytest.approx(0.16, abs=0.02)
    assert product.half_width[1] == pytest.approx(0.39, abs=0.02)


def test_thin_object_at_any_angle_gets_small_patches() -> None:
    product = estimate_product(objects([ellipse(50, 7, 22 * k) for k in range(8)], 220, 80))
    assert product.background is not None and product.min_object_share == 0.5 and product.num_patches == 4
    assert product.half_height == product.half_width and product.half_height[1] <= 0.12


def test_object_through_two_sides() -> None:
    band = np.zeros((SIDE, SIDE), dtype=bool)
    band[:, 40:88] = True
    product = estimate_product(objects([band] * 8, 220, 70))
    assert product.half_width[1] == pytest.approx(0.17, abs=0.02)
    assert product.background is not None and 30 < product.background[1] < 120  # well between 220 and 70


def test_aligned_detail_is_an_object_without_background() -> None:
    board = cv2.GaussianBlur(noise(0, 128, 90), (0, 0), 1).astype(float)
    images = [np.clip(board + noise(k, 100, 4) - 100.0, 0, 255).astype(np.uint8) for k in range(1, 8)]
    product = estimate_product(images)
    assert not product.texture and product.background is None


@pytest.mark.parametrize("sigma", [0, 5, 40])
def test_noise_is_a_texture(sigma: float) -> None:
    assert estimate_product([noise(seed, 128, sigma) for seed in range(8)]).texture == Product().texture


def test_uneven_light_is_no_object() -> None:
    bell = cv2.getGaussianKernel(SIDE, 45)
    light = (bell @ bell.T / bell.max() ** 2)[..., None]
    assert estimate_product([(noise(s, 180, 8) * light).astype(np.uint8) for s in range(8)]) == Product()


def test_objects_of_unstable_area_and_few_images_are_textures() -> None:
    masks = [ellipse(size, size) for size in (12, 50, 12, 50, 12, 55, 12, 55)]
    assert estimate_product(objects(masks, 20, 120)) == Product()
    assert estimate_product(objects([ellipse(45, 45)] * 2, 20, 120)) == Product()


def test_estimate_takes_mixed_sizes_and_is_reproducible() -> None:
    images = objects([ellipse(45, 45)] * 40, 20, 120)
    images[3] = cv2.resize(images[3], (90, 70)).astype(np.uint8)
    assert estimate_product(images, seed=5) == estimate_product(images, seed=5)


def test_estimate_refuses_what_it_cannot_use() -> None:
    with pytest.raises(FlawsightError, match="No good images"):
        estimate_product([])
    with pytest.raises(FlawsightError, match="uint8"):
        estimate_product([np.zeros((4, 4), np.uint8)])


def test_products_survive_json_and_replacement() -> None:
    product = replace(Product(), background=(20.0, 30.0), texture=False)
    assert Product.from_dict(json.loads(json.dumps(product.to_dict()))) == product
    assert Product.from_dict(Product().to_dict()) == Product()
    with pytest.raises(FlawsightError, match="colour"):
        Product.from_dict({"colour": 3})


def test_foreground_by_hand() -> None:
    image = np.full((64, 64, 3), 20, np.uint8)
    image[10:40, 10:40] = (60, 50, 40)  # mean 50: 30 from the background
    assert not foreground(image, Product(background=(20.0, 30.0))).any()  # farther than the threshold, not as far
    inside = np.zeros((64, 64), dtype=bool)
    inside[10:40, 10:40] = True
    assert np.array_equal(foreground(image, Product(background=(20.0, 29.0))), inside)
    assert foreground(image, Product()).all()
