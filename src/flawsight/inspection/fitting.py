"""Fitting: what happened while an inspector was made, for the report; gone when the bundle is loaded again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from flawsight.generation.description import Description
from flawsight.inspection.images import ResizedImages
from flawsight.selection import LayerSelection

MadeDefects = dict[str, tuple[list[np.ndarray], list[np.ndarray]]]
"""Images with a synthetic defect and their masks, by kind."""


@dataclass(eq=False)
class Fitting:
    """The fitted search (None where the layers were given), the images learned from, and seconds per stage.

    `kinds` of defects were made; `defects` are the search's, or else a few to look at.
    `held_out_maps` (side, side) show the first few images to detectors that had not seen them.
    `generator`: whose pictures were blended into defects, if any.
    """

    selection: LayerSelection | None
    images: ResizedImages
    kinds: tuple[str, ...] = ()
    defects: MadeDefects = field(default_factory=dict)
    held_out_maps: list[np.ndarray] = field(default_factory=list)
    generator: Description | None = None
    timings: dict[str, float] = field(default_factory=dict)
