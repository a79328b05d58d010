"""Eq. 3 of paper E by hand, and pictures of other sizes than the image."""

import cv2
import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.defects import Image
from flawsight.defects import make as make_defect
from flawsight.defects.kinds.sdas import Sdas


def make(**params: object) -> Sdas:
    defect = make_defect("sdas", **params)
    assert isinstance(defect, Sdas)
    return defect


def test_equation_3_by_hand(textures: list[Image]) -> None:
    """With opacity 0.75, I = (40, 80, 120) and P = (200, 0, 100), the region is (160, 20, 105) and the rest is I."""
    image = np.full((32, 32, 3), (40, 80, 120), np.uint8)
    picture = np.full((32, 32, 3), (200, 0, 100), np.uint8)
    result, mask = make(pictures=[picture], opacity=(0.75, 0.75))(image, np.random.default_rng(1), [image])
    assert 0 < mask.sum() < mask.size
    assert (result[mask] == (160, 20, 105)).all()
    assert (result[~mask] == (40, 80, 120)).all()


def test_the_label_is_what_changed() -> None:
    """Where the picture equals the image nothing is defective, whatever the region."""
    image = np.full((64, 64, 3), 90, np.uint8)
    picture = image.copy()
    picture[:, 32:] = 200
    for seed in range(5):
        _, mask = make(pictures=[picture])(image, np.random.default_rng(seed), [image])
        assert mask.any() and not mask[:, :32].any()


def test_a_small_picture_keeps_the_grain_of_the_image() -> None:
    """P' = raise(P) + I - raise(lower(I)): a chequer of single pixels around 100 stays, around P's 150."""
    chequer = np.indices((32, 32)).sum(0) % 2
    image = np.repeat((90 + 20 * chequer).astype(np.uint8)[..., None], 3, axis=2)
    picture = np.full((8, 8, 3), 150, np.uint8)
    rng = np.random.default_rng(0)
    assert np.array_equal(make(pictures=[picture]).foreign(image, rng, []), image + 50)
    blurred = make(pictures=[picture], keep_detail=False)
    assert (blurred.foreign(image, rng, []) == 150).all()


def test_a_small_copy_of_the_image_changes_nothing(textures: list[Image]) -> None:
    image = textures[0]
    copy = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.array_equal(make(pictures=[copy]).foreign(image, np.random.default_rng(0), []), image)
    with pytest.raises(FlawsightError, match="no defect could be placed"):
        make(pictures=[copy], redraws=2)(image, np.random.default_rng(0), [image])


def test_larger_pictures_shrink(textures: list[Image]) -> None:
    large = np.full((300, 500, 3), 9, np.uint8)
    wide = np.full((64, 500, 3), 9, np.uint8)  # smaller one way, larger the other
    for picture in (large, wide):
        result = make(pictures=[picture], keep_detail=False).foreign(textures[0], np.random.default_rng(0), [])
        assert result.shape == textures[0].shape and (result == 9).all()


def test_without_pictures_the_error_says_how_to_get_them() -> None:
    with pytest.raises(FlawsightError, match="sdas_pictures"):
        make()


def test_every_picture_has_its_turn(textures: list[Image]) -> None:
    pictures = [np.full((16, 16, 3), level, np.uint8) for level in (0, 120, 250)]
    defect = make(pictures=pictures, keep_detail=False, opacity=(1.0, 1.0))
    shown = {int(np.median(result[mask])) for result, mask in (
        defect(textures[0], np.random.default_rng(seed), [textures[0]]) for seed in range(20)
    )}  # fmt: skip
    assert shown == {0, 120, 250}
