"""Copies of pictures with a defect."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from flawsight.core import FlawsightError
from flawsight.detectors import AnomalySynthesis


def test_a_copy_is_by_its_seed_alone(pictures: Callable, synthesis: AnomalySynthesis) -> None:
    images = pictures(4)
    copies, masks = synthesis.copies(images, [0, 1, 2], [5, 6, 7])
    again, same = synthesis.copies(images, [2, 0], [7, 5])
    assert np.array_equal(copies[2], again[0]) and np.array_equal(copies[0], again[1])
    assert torch.equal(masks[[2, 0]], same) and masks.flatten(1).sum(1).tolist() == [64, 64, 64]
    for copy, image, mask in zip(copies, images, masks.numpy(), strict=False):
        assert np.array_equal((copy != image).any(2), mask)


def test_where_no_defect_can_be_placed(
    pictures: Callable, layers_of: Callable, square: Callable, impossible: Callable
) -> None:
    images = pictures(3)
    some = AnomalySynthesis(layers_of, [square, impossible])
    copies, masks = some.copies(images, [0] * 20, list(range(20)))
    untouched = [place for place, copy in enumerate(copies) if copy is images[0]]
    assert 0 < len(untouched) < 20 and not masks[untouched].any()
    with pytest.raises(FlawsightError, match="no place"):
        AnomalySynthesis(layers_of, [impossible]).copies(images, [0, 1], [0, 1])
