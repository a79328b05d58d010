"""One map and score from several members, recomputed by hand."""

import cv2
import numpy as np
import pytest

from flawsight.scoring import MapCalibrator, MemberCalibration, RawPrediction, ScoreStandardizer, fuse_members
from flawsight.scoring.maps import upsample

SIDE = 64


def surprise(held_out: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """-log of the share of held-out values above, linear between 64 levels and exponential beyond 1 in 200."""
    ordered = np.sort(held_out.ravel())
    levels = np.linspace(0, -np.log(0.005), 64)
    knots = ordered[((1 - np.exp(-levels)) * (len(ordered) - 1)).astype(int)].astype(float)
    tail = (ordered[ordered > knots[-1]] - knots[-1]).mean()
    return np.interp(maps, knots, levels) + np.clip(maps - knots[-1], 0, None) / tail


def square(grid: np.ndarray) -> np.ndarray:
    """Resized to pixels and smoothed with a sigma of 4 pixels of 256."""
    resized = cv2.resize(grid.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(resized, (0, 0), 4 * SIDE / 256, borderType=cv2.BORDER_REFLECT)


def member(seed: int, grid: tuple[int, int], scores: bool) -> tuple[list[RawPrediction], RawPrediction]:
    """What a member finds in twelve held-out good images, and in another one."""
    rng = np.random.default_rng(seed)
    maps = rng.gamma(2, 10.0 ** rng.uniform(-2, 2), (13, *grid)).astype(np.float32)
    maps[12, grid[0] // 2] *= 3
    own = 500 + 30 * rng.normal(size=13).astype(np.float32)
    found = RawPrediction(maps, own if scores else None)
    return [found.of_image(number) for number in range(12)], found.of_image(12)


@pytest.mark.parametrize("scores", [(False, False), (True, False), (False, True), (True, True)])
def test_weighted_mean_of_calibrated_maps_and_scores(scores: tuple[bool, bool]) -> None:
    weights, grids = (0.3, 0.7), ((8, 8), (5, 9))
    made = [member(seed, grid, own) for seed, (grid, own) in enumerate(zip(grids, scores, strict=True))]
    scales = [MemberCalibration.of(held_out, w, SIDE) for (held_out, _), w in zip(made, weights, strict=True)]
    fused, score = fuse_members([found for _, found in made], scales, SIDE)

    expected, by_member = np.zeros((SIDE, SIDE)), 0.0
    for (held_out, found), weight in zip(made, weights, strict=True):
        good = np.stack([one.maps for one in held_out])
        expected += weight * square(surprise(good, found.maps))
        own = [
            square(surprise(good, one.maps)).max() if one.scores is None else one.scores for one in [*held_out, found]
        ]
        by_member += weight * (own[-1] - np.mean(own[:-1])) / np.std(own[:-1])
    assert fused.shape == (SIDE, SIDE) and fused.dtype == np.float32 and isinstance(score, float)
    assert np.allclose(fused, expected, atol=1e-4)
    assert score == pytest.approx(by_member if any(scores) else expected.max(), abs=1e-3)


def test_one_member_of_weight_one_is_its_own_calibrated_map() -> None:
    held_out, found = member(0, (8, 8), False)
    scale = MemberCalibration.of(held_out, 1.0, SIDE)
    fused, score = fuse_members([found], [scale], SIDE)
    assert np.allclose(fused, upsample(scale.maps(found.maps), SIDE), atol=1e-5) and score == fused.max()


def test_calibration_is_measured_on_held_out_images() -> None:
    held_out, _ = member(3, (6, 6), True)
    scale = MemberCalibration.of(held_out, 0.5, SIDE)
    assert scale.weight == 0.5
    assert scale.maps == MapCalibrator.of(one.maps for one in held_out)
    assert scale.scores == ScoreStandardizer.of(np.array([one.scores for one in held_out]))


def test_as_many_members_as_answers() -> None:
    held_out, found = member(0, (8, 8), False)
    with pytest.raises(ValueError, match="zip"):
        fuse_members([found, found], [MemberCalibration.of(held_out, 1.0, SIDE)], SIDE)
