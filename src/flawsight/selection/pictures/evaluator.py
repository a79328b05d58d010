"""How well maps of squares, joined into maps of pictures, tell planted defects from good pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from flawsight.metrics import Metrics, PixelTruth
from flawsight.scoring import upsample
from flawsight.selection.evaluator import GOOD, Maps, figures_of, maxima, shrunk_mask
from flawsight.selection.pictures.scene import Scene

MOST_PIXELS = 16_000_000
"""Pixels of all maps that AU-PRO is computed on, at full resolution."""


class SceneEvaluator:
    """Measures maps of scenes at a resolution so many `times` lower than the view's.

    AU-PRO is computed at a size that depends on the pictures alone, so that views can be compared.
    """

    def __init__(self, scenes: Mapping[str, Sequence[Scene]], times: int) -> None:
        self.scenes, self.times = scenes, times
        self.side = scenes[GOOD][0].frame.side // times
        every = [scene for some in scenes.values() for scene in some]
        pixels = sum(scene.counted[2] * scene.counted[3] for scene in every)
        self._scale = min(1.0, (MOST_PIXELS / times**2 / pixels) ** 0.5)
        unmarked = [None] * len(scenes[GOOD])
        self._truth = {
            kind: PixelTruth(
                [*unmarked, *(shrunk_mask(one.mask, self._size(one)) for one in some if one.mask is not None)]
            )
            for kind, some in scenes.items()
            if kind != GOOD
        }

    def upsampled(self, maps: dict[str, np.ndarray]) -> Maps:
        """Maps of the pictures' parts that count, joined from grid maps of their squares."""
        squares = {name: [upsample(one, self.side) for one in stack] for name, stack in maps.items()}
        return {part: [self._joined(one, squares, part) for one in some] for part, some in self.scenes.items()}

    def image_scores(self, scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A picture is as bad as its worst square."""
        return {
            part: np.array([max(one.of_tiles(scores[GOOD], scores[part])) for one in some])
            for part, some in self.scenes.items()
        }

    def figures(self, maps: Maps, scores: dict[str, np.ndarray] | None = None) -> dict[str, Metrics]:
        """Figures of each kind of defect; without `scores` of the images these are the maxima of their maps."""
        sized = {
            part: [_resized(one, self._size(scene)) for one, scene in zip(some, self.scenes[part], strict=True)]
            for part, some in maps.items()
        }
        return figures_of(self._truth, sized, scores or maxima(maps))

    def _joined(self, scene: Scene, squares: Mapping[str, Sequence[np.ndarray]], part: str) -> np.ndarray:
        frame = scene.frame.shrunk(self.times)
        joined = frame.join(scene.of_tiles(squares[GOOD], squares[part]))
        left, top, width, height = scene.counted
        x0, y0, wide, high = frame.box
        across, down = frame.working[1] / wide, frame.working[0] / high
        xs = _span((left - x0) * across, (left + width - x0) * across, frame.working[1])
        ys = _span((top - y0) * down, (top + height - y0) * down, frame.working[0])
        return joined[ys, xs]

    def _size(self, scene: Scene) -> tuple[int, int]:
        _, _, width, height = scene.counted
        return max(8, round(height * self._scale)), max(8, round(width * self._scale))


def _span(start: float, end: float, most: int) -> slice:
    first = min(max(0, int(np.floor(start))), most - 1)
    return slice(first, max(first + 1, min(most, int(np.ceil(end)))))


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if values.shape == size:
        return values
    shrinks = values.shape[0] > size[0]
    return cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
