"""The judge: maps against masks at another resolution than the images'."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from flawsight.defects import Product
from flawsight.metrics import aupro
from flawsight.scoring.maps import upsample
from flawsight.selection import Metrics, ValidationSet
from flawsight.selection.evaluator import GOOD, LayerEvaluator, maxima, shrunk_mask

INPUT = np.zeros((64, 64, 3), np.uint8)


def validation(masks: dict[str, list[np.ndarray]], good: int = 4) -> ValidationSet:
    bad = {kind: ([INPUT] * len(some), some) for kind, some in masks.items()}
    return ValidationSet([INPUT] * 3, [INPUT] * good, bad, Product())


def boxes(count: int, seed: int, largest: int = 30) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(count):
        mask = np.zeros((64, 64), bool)
        (top, left), (height, width) = rng.integers(0, 60, 2), rng.integers(1, largest, 2)
        mask[top : top + height, left : left + width] = True
        masks.append(mask)
    return masks


@given(st.integers(0, 1000), st.sampled_from([8, 16, 32, 64]), st.integers(2, 30))
def test_a_cell_is_defective_if_half_of_it_is(seed: int, side: int, largest: int) -> None:
    (mask,) = boxes(1, seed, largest)
    step = 64 // side
    share = mask.reshape(side, step, side, step).mean((1, 3))
    found = shrunk_mask(mask, (side, side))
    assert found.shape == (side, side) and found.dtype == bool
    assert np.array_equal(found, share >= min(0.5, share.max()))
    assert found.any() and not found[share == 0].any()
    assert side < 64 or np.array_equal(found, mask)


@pytest.mark.parametrize("side", [16, 32, 64, 40])
def test_who_sees_all_and_who_sees_nothing(side: int) -> None:
    masks = {"large": boxes(5, 1), "small": boxes(5, 2, largest=3)}
    judge = LayerEvaluator(validation(masks), side)
    maps = {"good": np.zeros((4, side, side), np.float32)}
    maps |= {
        kind: np.stack([shrunk_mask(m, (side, side)) for m in some]).astype(np.float32) for kind, some in masks.items()
    }
    perfect = judge.figures(maps)
    assert list(perfect) == ["large", "small"]
    assert all(
        (one.auroc, one.p_h) == (1, pytest.approx(1)) and one.aupro == pytest.approx(1) for one in perfect.values()
    )
    blind = judge.figures({name: np.zeros_like(stack) for name, stack in maps.items()})
    assert all(one.auroc == 0.5 and one.aupro < 0.2 for one in blind.values())
    inverted = judge.figures({name: -stack for name, stack in maps.items()})
    assert all(one.aupro == pytest.approx(0, abs=1e-3) for one in inverted.values())


@pytest.mark.parametrize("side", [32, 64])
def test_figures_are_those_of_the_textbook(side: int) -> None:
    masks = {"nsa": boxes(6, 3), "perlin": boxes(4, 4)}
    rng = np.random.default_rng(0)
    maps = {"good": rng.normal(size=(5, side, side)).astype(np.float32)}
    for kind, some in masks.items():
        hint = np.stack([shrunk_mask(mask, (side, side)) for mask in some])
        maps[kind] = (rng.normal(size=hint.shape) + 1.2 * hint).astype(np.float32)
    found = LayerEvaluator(validation(masks, good=5), side).figures(maps)
    for kind, some in masks.items():
        both = [*maps["good"], *maps[kind]]
        truth = [np.zeros((side, side), bool)] * 5 + [shrunk_mask(mask, (side, side)) for mask in some]
        assert found[kind].auroc == pytest.approx(roc_auc_score([0] * 5 + [1] * len(some), [m.max() for m in both]))
        assert found[kind].aupro == pytest.approx(aupro(both, truth, 0.3), abs=1e-3)


def test_scores_of_its_own_count_for_images_only() -> None:
    masks = {"nsa": boxes(6, 3), "perlin": boxes(4, 4)}
    rng = np.random.default_rng(0)
    maps = {
        name: rng.normal(size=(count, 32, 32)).astype(np.float32)
        for name, count in ((GOOD, 5), ("nsa", 6), ("perlin", 4))
    }
    scores = {name: rng.normal(size=len(stack)) for name, stack in maps.items()}
    judge = LayerEvaluator(validation(masks, good=5), 32)
    own, usual = judge.figures(maps, scores), judge.figures(maps)
    for kind, some in masks.items():
        labels = [0] * 5 + [1] * len(some)
        assert own[kind].auroc == pytest.approx(roc_auc_score(labels, np.concatenate([scores[GOOD], scores[kind]])))
        assert own[kind].aupro == usual[kind].aupro
    assert judge.figures(maps, {}) == judge.figures(maps, maxima(maps)) == usual
    assert {name: list(values) for name, values in maxima(maps).items()} == {
        name: [one.max() for one in stack] for name, stack in maps.items()
    }


def test_maps_are_brought_to_the_side_as_everywhere() -> None:
    grids = {"good": np.random.default_rng(0).normal(size=(4, 8, 8)), "nsa": np.eye(8)[None]}
    found = LayerEvaluator(validation({"nsa": boxes(1, 0)}), 32).upsampled(grids)
    assert {name: stack.shape for name, stack in found.items()} == {"good": (4, 32, 32), "nsa": (1, 32, 32)}
    for name, stack in grids.items():
        assert np.array_equal(found[name], [upsample(one, 32) for one in stack])


@pytest.mark.parametrize(("auroc", "aupro_"), [(0.9, 0.5), (1, 1), (0, 1), (0, 0)])
def test_p_h(auroc: float, aupro_: float) -> None:
    total = auroc + aupro_
    assert Metrics(auroc, aupro_).p_h == pytest.approx(2 * auroc * aupro_ / total if total else 0)
