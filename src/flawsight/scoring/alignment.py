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

    own_maps: MapCalibrator
    maps: MapCalibrator
    own_scores: ScoreStandardizer | None
    scores: ScoreStandardizer | None

    @classmethod
    def of(cls, own: RawPrediction, other: RawPrediction) -> Self:
        """Measured on what both found in the same images."""
        maps = MapCalibrator.of(own.maps), MapCalibrator.of(other.maps)
        if own.scores is None or other.scores is None:
            return cls(*maps, None, None)
        return cls(*maps, ScoreStandardizer.of(own.scores), ScoreStandardizer.of(other.scores))

    def __call__(self, found: RawPrediction) -> RawPrediction:
        """Answers about any images, on the other's scale."""
        maps = self.maps.inverse(self.own_maps(found.maps))
        if found.scores is None or self.own_scores is None or self.scores is None:
            return RawPrediction(maps, found.scores)
        return RawPrediction(maps, self.scores.inverse(self.own_scores(found.scores)))
