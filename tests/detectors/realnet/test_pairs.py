"""Pairs of pictures with a defect and without."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from flawsight.detectors import AnomalySynthesis
from flawsight.detectors.realnet.pairs import SyntheticPairs


@pytest.mark.parametrize("pairs", [None, 12])
def test_triplets_are_pictures_with_and_without_their_defect(
    pictures: Callable, layers_of: Callable, synthesis: AnomalySynthesis, pairs: int | None
) -> None:
    images = pictures(4)
    made = SyntheticPairs(images, synthesis, 0, pairs)
    rows = torch.tensor([2, 0, 3, 2, 1, 1])
    generator = torch.Generator().manual_seed(3)
    found = made.sample(rows, 0.5, generator, list)
    for maps, expected in zip(found.normal, layers_of([images[row] for row in rows]), strict=True):
        assert torch.equal(maps, expected)
    bad = found.masks.flatten(1).any(1)
    assert 0 < bad.sum() < 6
    assert all(torch.equal(a[~bad], b[~bad]) for a, b in zip(found.anomalous, found.normal, strict=True))
    fine = torch.nn.functional.avg_pool2d(found.masks[:, None].float(), 2)[:, 0] > 0
    assert torch.equal((found.anomalous[0] != found.normal[0]).any(1), fine)
    generator.manual_seed(3)
    again = made.sample(rows, 0.5, generator, list)
    assert torch.equal(again.masks, found.masks) and torch.equal(again.anomalous[1], found.anomalous[1])


def test_pairs_are_made_once_or_ever_anew(pictures: Callable, layers_of: Callable, square: Callable) -> None:
    made = []

    def counting(image: np.ndarray, rng: np.random.Generator, sources: list[np.ndarray]):
        made.append(1)
        return square(image, rng, sources)

    generator = torch.Generator().manual_seed(0)
    for pairs, at_most in ((8, 8), (None, 80)):
        made.clear()
        drawn = SyntheticPairs(pictures(4), AnomalySynthesis(layers_of, [counting]), 0, pairs)
        for _ in range(20):
            drawn.sample(torch.arange(4), 1.0, generator, list)
        assert len(made) == at_most
