"""One map and score of an image from what several members found in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.scoring.calibration import MapCalibrator, ScoreStandardizer
from flawsight.scoring.maps import upsample
from flawsight.scoring.raw import RawPrediction


@dataclass(frozen=True)
class MemberCalibration:
    """The scales of one member's maps and image scores, and its weight in the whole.

    >>> held_out = [RawPrediction(np.linspace(0, 1, 64).reshape(8, 8), None) for _ in range(5)]
    >>> member = MemberCalibration.of(held_out, weight=0.5, side=64)
    >>> member.maps(np.array([[0.5]])).round(1)
    array([[0.7]], dtype=float32)
    """

    maps: MapCalibrator
    scores: ScoreStandardizer
    weight: float

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise FlawsightError(f"a member's weight must be above 0 and at most 1, got {self.weight}")

    @classmethod
    def of(
        cls,
        held_out: Sequence[RawPrediction],
        weight: float,
        side: int,
        inside: Callable[[int, tuple[int, int]], np.ndarray | None] = lambda number, grid: None,
    ) -> MemberCalibration:
        """Measured on what the member found in good images that it was not fitted on, one by one.

        `inside`: which cells of an image's grid (h, w) count, by its number; None for all.
        """
        maps = MapCalibrator.of(
            one.maps if (cells := inside(number, one.maps.shape)) is None else one.maps[cells]
            for number, one in enumerate(held_out)
        )
        scores = np.array([own_score(one, maps(one.maps), side) for one in held_out])
        return cls(maps, ScoreStandardizer.of(scores), weight)


def fuse_members(
    found: Sequence[RawPrediction], members: Sequence[MemberCalibration], side: int
) -> tuple[np.ndarray, float]:
    """One image's map (side, side) and score, from what each member found in it (grid map (h, w), its own score).

    The map is the weighted mean of the members' calibrated maps, upsampled and smoothed; the score is its maximum, as
    in the official evaluation (facts, section 7). Where a member scores images in its own way, the score is the
    weighted mean of the members' standardised scores.

    >>> member = inspector.manifest.members[0].calibration
    >>> anomaly_map, score = fuse_members([RawPrediction(np.zeros((8, 8)), None)], [member], side=64)
    >>> anomaly_map.shape, score
    ((64, 64), 0.0)
    """
    calibrated = [member.maps(one.maps) for one, member in zip(found, members, strict=True)]
    total = np.zeros((side, side), np.float32)
    for values, member in zip(calibrated, members, strict=True):
        total += np.float32(member.weight) * cv2.resize(values, (side, side), interpolation=cv2.INTER_LINEAR)
    fused = upsample(total, side)
    if all(one.scores is None for one in found):
        return fused, float(fused.max())
    score = 0.0
    for one, values, member in zip(found, calibrated, members, strict=True):
        score += member.weight * float(member.scores(own_score(one, values, side)))
    return fused, score


def own_score(found: RawPrediction, calibrated: np.ndarray, side: int) -> np.ndarray:
    """The member's own score of an image, or the maximum of its calibrated map (h, w)."""
    return upsample(calibrated, side).max() if found.scores is None else found.scores
