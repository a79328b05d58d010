"""Calibration: common scales, an operating point and the heat maps' colours, from held-out good images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.metrics import OperatingPoint, operating_point
from flawsight.scoring import ColourScale, MemberCalibration, RawPrediction, fuse_members
from flawsight.views import Frame, Inputs, resize_image

EXAMPLES = 3
EXAMPLE_SIDE = 512


@dataclass(frozen=True, eq=False)
class Calibration:
    """How members' answers count, where a part is stopped, and what good images look like to the whole.

    `scores` (n,) are good pictures' scores by detectors that had not seen them; `held_out_maps` the maps of the first
    few, resized to squares of `EXAMPLE_SIDE` at most.
    """

    members: tuple[MemberCalibration, ...]
    operating_point: OperatingPoint
    colour_scale: ColourScale
    scores: np.ndarray
    held_out_maps: list[np.ndarray]
    has_own_scores: bool


def calibrate(
    held_out: Sequence[Sequence[RawPrediction]], inputs: Inputs, weights: Sequence[float], false_alarm_rate: float
) -> Calibration:
    """From what the members found in each of the held-out good `inputs`, at a stated false-alarm rate for pictures.

    A picture counts once, however many inputs it has (cross-conformal).
    """
    side = inputs.frames[0].side

    def inside(number: int, grid: tuple[int, int]) -> np.ndarray | None:
        return inputs.frames[inputs.picture_of[number]].cells(int(inputs.tile_of[number]), grid)

    members = tuple(
        MemberCalibration.of([one[number] for one in held_out], weight, side, inside)
        for number, weight in enumerate(weights)
    )
    has_own = any(one.scores is not None for one in held_out[0])
    count = len(inputs.frames)
    scores, peaks, levels = (np.empty(count) for _ in range(3))
    examples = []
    for picture, frame in enumerate(inputs.frames):
        joined, scores[picture] = judged(frame, [held_out[number] for number in inputs.of_picture(picture)], members)
        peaks[picture], levels[picture] = frame.peak(joined), frame.level(joined)
        if picture < EXAMPLES:
            examples.append(resize_image(frame.to_picture(joined), min(side, *inputs.frames[0].size, EXAMPLE_SIDE)))
    point = operating_point(scores, false_alarm_rate)
    scale = _colour_scale(peaks, float(levels.mean()), false_alarm_rate)
    return Calibration(members, point, scale, scores, examples, has_own)


def judged(
    frame: Frame, found: Sequence[Sequence[RawPrediction]], members: Sequence[MemberCalibration]
) -> tuple[np.ndarray, float]:
    """A picture's joined map and score, from what the members found in each of its squares."""
    fused = [fuse_members(one, members, frame.side) for one in found]
    joined = frame.join([values for values, _ in fused])
    has_own = any(one.scores is not None for one in found[0])
    return joined, max(score for _, score in fused) if has_own else frame.peak(joined)


def _colour_scale(peaks: np.ndarray, level: float, rate: float) -> ColourScale:
    """Cold is the usual level of good images, the middle is the threshold of the maps' maxima."""
    threshold = operating_point(peaks, rate).threshold
    return ColourScale(min(level, threshold - 1e-6 * max(1.0, abs(threshold))), threshold)
