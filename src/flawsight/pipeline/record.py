"""What happened while an inspector was made: for its report, and for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from flawsight.core import Progress
from flawsight.data import Skipped
from flawsight.health import HealthReport
from flawsight.pipeline.defect_sources import DefectRecipe, MadeDefects
from flawsight.selection import LayerSelection
from flawsight.views import ImageCache


@dataclass(frozen=True, eq=False)
class FitRecord:
    """The fitted search (None where there was none), the images learned from, and seconds per stage.

    `recipe`: which kinds of defects were made, of what; `defects` are the search's, or else a few to look at.
    `held_out_maps` (side, side) show the first few images to detectors that had not seen them. `notes` say what to
    mind; `skipped` is what lay beside the images and was left out;
    `health` is what a check of the images found.

    >>> record = fitted.record
    >>> len(record.images), record.recipe.kinds, len(record.defects["nsa"][0])
    (12, ('nsa', 'perlin', 'scratch'), 3)
    """

    selection: LayerSelection | None
    images: ImageCache
    recipe: DefectRecipe
    defects: MadeDefects
    held_out_maps: list[np.ndarray]
    timings: dict[str, float]
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    health: HealthReport | None = None


@dataclass(frozen=True)
class Run:
    """What every stage is given beside its input: whom to tell progress, and where seconds are noted."""

    progress: Progress
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long a stage takes."""
        start = perf_counter()
        yield
        self.timings[stage] = perf_counter() - start
