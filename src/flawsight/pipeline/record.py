"""What happened while an inspector was made: for its report, and for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from flawsight.core import Progress, spread
from flawsight.data import Skipped
from flawsight.executors import Executor
from flawsight.health import HealthReport
from flawsight.pipeline.defect_sources import DefectRecipe, MadeDefects
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.trust.study import PodStudy
from flawsight.pipeline.trust.suspect import Suspect
from flawsight.selection import LayerSelection
from flawsight.selection.pictures import ViewTrial
from flawsight.views import ImageCache


@dataclass(frozen=True, eq=False)
class FitRecord:
    """The fitted search (None where there was none), the images learned from, and seconds per stage.

    `recipe`: which kinds of defects were made, of what; `defects` are the search's, or else a few to look at.
    `held_out_maps`, squares, show the first few images to detectors that had not seen them. `notes` say what to mind;
    `skipped` is what lay beside the images and was left out; `views` are those that were tried; `suspects` are images
    that may show a defect, None where nobody looked; `pod` is what defects of known size told.

    >>> record = fitted.record
    >>> len(record.images), record.recipe.kinds, len(record.defects["nsa"][0])
    (12, ('nsa', 'perlin', 'scratch'), 3)
    """

    selection: LayerSelection | None
    good: GoodImages
    recipe: DefectRecipe
    defects: MadeDefects
    held_out_maps: list[np.ndarray]
    timings: dict[str, float]
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    views: tuple[ViewTrial, ...] = ()
    suspects: tuple[Suspect, ...] | None = None
    pod: PodStudy | None = None

    @property
    def images(self) -> ImageCache:
        """Overviews of the good images."""
        return self.good.images

    @property
    def health(self) -> HealthReport:
        """What a check of the images found."""
        return self.good.health


def squares_with_defects(record: FitRecord, most: int = 24) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """For some defects of each kind the network's input that shows most of it, and the mask of that."""
    good, found = record.good, {}
    assert good.view is not None
    square = (good.view.side, good.view.side)
    if good.is_overview and all(masks[0].shape == square for _, masks in record.defects.values()):
        return {kind: (list(images), list(masks)) for kind, (images, masks) in record.defects.items()}
    for kind, (images, masks) in record.defects.items():
        squares, drawn = [], []
        for at in spread(len(images), most // len(record.defects)):
            image, mask = images[at], masks[at]
            frame = good.view.frame(mask.shape, good.region)
            parts = [frame.from_picture(mask, tile) for tile in range(frame.tiles)]
            best = max(range(frame.tiles), key=lambda tile: parts[tile].sum())
            squares.append(next(frame.cut(image, [best])))
            drawn.append(parts[best])
        found[kind] = squares, drawn
    return found


@dataclass(frozen=True)
class Run:
    """What every stage is given beside its input: whom to tell progress, where seconds are noted, and who helps."""

    progress: Progress
    timings: dict[str, float] = field(default_factory=dict)
    executor: Executor | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long a stage takes, all its turns together."""
        start = perf_counter()
        yield
        self.timings[stage] = self.timings.get(stage, 0.0) + perf_counter() - start
