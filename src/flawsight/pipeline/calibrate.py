"""Calibration: common scales, an operating point and the heat maps' colours, from held-out good images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.metrics import OperatingPoint, one_a_part, operating_point
from flawsight.scoring import ColourScale, MemberCalibration, RawPrediction, fuse_members
from flawsight.views import Frame, Inputs, resize_image

EXAMPLES = 3
EXAMPLE_SIDE = 512


@dataclass(frozen=True, eq=False)
class Calibration:
    """How members' answers count, where a part is stopped, and what good images look like to the whole.

    `scores` (n,) are good pictures' scores by detectors that had not seen them, `part_scores` as many as there are
    parts; `maps` the maps of the first few pictures that count, by number, resized to `EXAMPLE_SIDE` at most.
    """

    members: tuple[MemberCalibration, ...]
    operating_point: OperatingPoint
    colour_scale: ColourScale
    scores: np.ndarray
    part_scores: np.ndarray
    maps: dict[int, np.ndarray]
    has_own_scores: bool

    @property
    def held_out_maps(self) -> list[np.ndarray]:
        """The maps alone, in the pictures' order."""
        return list(self.maps.values())


def calibrate(
    held_out: Sequence[Sequence[RawPrediction]],
    inputs: Inputs,
    weights: Sequence[float],
    false_alarm_rate: float,
    parts: Sequence[int] | np.ndarray | None = None,
    doubted: Collection[int] = (),
) -> Calibration:
    """From what the members found in each of the held-out good `inputs`, at a stated false-alarm rate for pictures.

    A picture counts once, however many inputs it has, and a part, however many pictures (cross-conformal). `parts`
    number the part of each picture; the pictures of the numbers `doubted` are judged, but do not count.
    """
    side = inputs.frames[0].side
    count = len(inputs.frames)
    counts = np.array([picture not in doubted for picture in range(count)])
    numbers = np.flatnonzero(counts[inputs.picture_of]).tolist()

    def inside(place: int, grid: tuple[int, int]) -> np.ndarray | None:
        number = numbers[place]
        return inputs.frames[inputs.picture_of[number]].cells(int(inputs.tile_of[number]), grid)

    members = tuple(
        MemberCalibration.of([held_out[number][member] for number in numbers], weight, side, inside)
        for member, weight in enumerate(weights)
    )
    has_own = any(one.scores is not None for one in held_out[0])
    scores, peaks, levels = (np.empty(count) for _ in range(3))
    maps = {}
    shown = {*np.flatnonzero(counts)[:EXAMPLES].tolist(), *doubted}
    for picture, frame in enumerate(inputs.frames):
        joined, scores[picture] = judged(frame, [held_out[number] for number in inputs.of_picture(picture)], members)
        peaks[picture], levels[picture] = frame.peak(joined), frame.level(joined)
        if picture in shown:
            maps[picture] = resize_image(frame.to_picture(joined), min(side, *inputs.frames[0].size, EXAMPLE_SIDE))
    of_part = np.arange(count) if parts is None else np.asarray(parts)
    part_scores, part_peaks = (one_a_part(values[counts], of_part[counts]) for values in (scores, peaks))
    point = operating_point(part_scores, false_alarm_rate)
    scale = _colour_scale(part_peaks, float(levels[counts].mean()), false_alarm_rate)
    return Calibration(members, point, scale, scores, part_scores, maps, has_own)


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
