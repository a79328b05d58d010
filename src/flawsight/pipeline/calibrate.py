"""Calibration: common scales, an operating point and the heat maps' colours, from held-out good images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.metrics import OperatingPoint, operating_point
from flawsight.scoring import ColourScale, MemberCalibration, RawPrediction, fuse_members

EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class Calibration:
    """How members' answers count, where a part is stopped, and what good images look like to the whole.

    `scores` (n,) are good images' scores by detectors that had not seen them; `held_out_maps` (side, side) the maps of
    the first few.
    """

    members: tuple[MemberCalibration, ...]
    operating_point: OperatingPoint
    colour_scale: ColourScale
    scores: np.ndarray
    held_out_maps: list[np.ndarray]


def calibrate(
    held_out: Sequence[Sequence[RawPrediction]], weights: Sequence[float], side: int, false_alarm_rate: float
) -> Calibration:
    """From what the members found in each held-out good image, at a stated false-alarm rate (cross-conformal)."""
    members = tuple(
        MemberCalibration.of([image[number] for image in held_out], weight, side)
        for number, weight in enumerate(weights)
    )
    scores, peaks, levels = (np.empty(len(held_out)) for _ in range(3))
    examples = []
    for index, found in enumerate(held_out):
        fused, scores[index] = fuse_members(found, members, side)
        peaks[index], levels[index] = fused.max(), fused.mean()
        if index < EXAMPLES:
            examples.append(fused)
    point = operating_point(scores, false_alarm_rate)
    return Calibration(members, point, _colour_scale(peaks, float(levels.mean()), false_alarm_rate), scores, examples)


def _colour_scale(peaks: np.ndarray, level: float, rate: float) -> ColourScale:
    """Cold is the usual level of good images, the middle is the threshold of the maps' maxima."""
    threshold = operating_point(peaks, rate).threshold
    return ColourScale(min(level, threshold - 1e-6 * max(1.0, abs(threshold))), threshold)
