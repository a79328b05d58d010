"""The race of views: each is measured on few layers, and the best is searched in full."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flawsight.core import FlawsightError, Progress
from flawsight.detectors import Detector
from flawsight.executors import Executor
from flawsight.features import Extractor
from flawsight.metrics import Metrics
from flawsight.selection.fusion import NEGLIGIBLE, criterion
from flawsight.selection.pictures.scenes import Scenes
from flawsight.selection.race.budget import bisection_order
from flawsight.selection.search import LARGEST_MAP, LayerSelection
from flawsight.views import View

LAYERS = 24
"""Layers that a view is measured on, spread evenly over the network."""
WORTH = 2 * NEGLIGIBLE
"""So much of the criterion a view must gain that costs more: all pictures to come pay for it."""
CHANCE = 1.5
"""About what the criterion varies by chance, times the root of how many defects of a kind were measured."""
STRIDE = 8
"""Input pixels between the places where detectors look."""
RACE_SHARE = 0.5
"""Of the time for the search, where that is limited."""


@dataclass(frozen=True)
class ViewTrial:
    """What a view reached on the planted defects with the best of few layers, and squares it takes for a picture.

    `margin`: so much of the criterion may be chance, as few pictures were measured. `reason` says why it was not
    measured, where it was not.

    >>> from flawsight.selection.pictures import ViewTrial
    >>> from flawsight.views import View
    >>> trial = ViewTrial(View("squash", 256), 1, {"nsa": Metrics(0.9, 0.8)})
    >>> round(trial.p_h, 2), trial.cost
    (0.85, 65536)
    """

    view: View
    inputs: int
    figures: Mapping[str, Metrics]
    margin: float = WORTH
    reason: str = ""

    @property
    def p_h(self) -> float:
        """Mean over the kinds of defect; NaN where nothing was measured."""
        return float(np.mean([one.p_h for one in self.figures.values()])) if self.figures else math.nan

    @property
    def cost(self) -> int:
        """Pixels that the network is given for a picture."""
        return self.inputs * self.view.side**2


def best_trial(trials: Sequence[ViewTrial]) -> ViewTrial:
    """The cheapest, and first, of those not clearly worse than the best; FlawsightError where none was measured.

    The first is what pictures are seen through where nothing is tried: what is cheaper must be no worse than it at all.

    >>> from flawsight.selection.pictures import ViewTrial, best_trial
    >>> from flawsight.views import View
    >>> cheap = ViewTrial(View("squash", 256), 1, {"nsa": Metrics(0.90, 0.90)})
    >>> dear = ViewTrial(View("squash", 512), 1, {"nsa": Metrics(0.91, 0.90)})
    >>> best_trial([cheap, dear]).view.side
    256
    """
    measured = [trial for trial in trials if trial.figures]
    if not measured:
        raise FlawsightError(next(trial.reason for trial in trials))
    most = max(criterion(trial.figures) for trial in measured)
    usual = measured[0]
    near = [
        trial
        for trial in measured
        if criterion(trial.figures) >= most - trial.margin
        and (trial.cost >= usual.cost or criterion(trial.figures) >= criterion(usual.figures))
    ]
    return min(near, key=lambda trial: trial.cost)


def race_views(
    scenes: Scenes,
    views: Sequence[View],
    selection: LayerSelection,
    network_at: Callable[[int], Extractor],
    work_dir: Path | None,
    cache_key: str,
    progress: Progress,
    executor: Executor | None = None,
) -> list[ViewTrial]:
    """Measure each view on the same pictures, with cheap forms of the selection's detectors on a few layers.

    `network_at` gives the network for an image size. A view that no layer is quick enough for is left out.
    """
    trials = []
    margin = max(WORTH, CHANCE / min(map(len, scenes.planted.values())) ** 0.5)
    for view in views:
        seen = scenes.through(view)
        network = network_at(view.side)
        names = ",".join(_few(network, selection.layers, progress))
        budget = RACE_SHARE * selection.budget / len(views) if selection.budget else None
        detectors = {name: _cheap(one, view.side) for name, one in selection.detectors().items()}
        changed = {"detector": detectors, "layers": names, "search": "once", "budget": budget}
        few = LayerSelection(**selection.get_params(deep=False) | changed)
        folder = None if work_dir is None else work_dir / _folder(view)
        try:
            few.fit(network, (), folder, cache_key + repr(view), progress, seen, executor)
            trials.append(ViewTrial(view, seen.inputs_per_picture, few.figures_, margin))
        except FlawsightError as error:
            if selection.latency_budget is None:
                raise
            trials.append(ViewTrial(view, seen.inputs_per_picture, {}, margin, str(error)))
    return trials


def _cheap(detector: Detector, side: int) -> Detector:
    """A cheaper form of the detector, as fine for every image size."""
    cheap = detector.low_fidelity()
    return cheap.set_params(max_grid=side // STRIDE) if "max_grid" in cheap.get_params() else cheap


def _few(network: Extractor, wanted: str, progress: Progress) -> list[str]:
    unique = [layer for layer in network.select(wanted, progress) if not layer.same_as]
    unique = [layer for layer in unique if layer.height <= LARGEST_MAP] or unique
    order = {layer.name: layer.order for layer in unique}
    return sorted((layer.name for layer in bisection_order(unique)[:LAYERS]), key=order.__getitem__)


def _folder(view: View) -> str:
    return f"race-{view.kind}-{view.cut}-{view.side}"
