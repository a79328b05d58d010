"""Answers of several trainings of one detector on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from flawsight.scoring.calibration import MapCalibrator, ScoreStandardizer
from flawsight.scoring.raw import RawPrediction


@dataclass(frozen=True)
class Alignment:
    """What one training answers, as another would: by good images that both learned from.

    A network that learned from other images ends on another scale. A map's value becomes the one with the same
    surprisal among the other's values of those images, a score the one as many standard deviations from their mean.

    >>> own = RawPrediction(np.linspace(0, 1, 640).reshape(10, 8, 8), None)
    >>> aligned = Alignment.of(own, own._replace(maps=10 * own.maps))
    >>> aligned(RawPrediction(np.array([[0.5]]), None)).maps.round(1)
    array([[5.]], dtype=float32)
    """

    maps: tuple[MapCalibrator, MapCalibrator]
    scores: tuple[ScoreStandardizer, ScoreStandardizer] | None

    @classmethod
    def of(cls, own: RawPrediction, other: RawPrediction) -> Self:
        """Measured on what both found in the same images."""
        maps = MapCalibrator.of(own.maps), MapCalibrator.of(other.maps)
        if own.scores is None or other.scores is None:
            return cls(maps, None)
        return cls(maps, (ScoreStandardizer.of(own.scores), ScoreStandardizer.of(other.scores)))

    def __call__(self, found: RawPrediction) -> RawPrediction:
        """Answers about any images, on the other's scale."""
        own, other = self.maps
        maps, scores = other.inverse(own(found.maps)), found.scores
        if scores is not None and self.scores is not None:
            of_own, of_other = self.scores
            scores = of_other.inverse(of_own(scores))
        return RawPrediction(maps, scores)
