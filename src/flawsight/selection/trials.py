"""Trials: one candidate layer measured on the synthetic validation set, on disk as soon as it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from sklearn.base import clone

from flawsight.detectors import Detector
from flawsight.detectors.cores import side_by_side
from flawsight.detectors.passes import LayerSet, fit_detectors, map_images
from flawsight.detectors.surprise import Surprise
from flawsight.features import Extractor, Layer
from flawsight.selection.judge import Figures
from flawsight.selection.rounds import Round
from flawsight.selection.validation import GOOD


@dataclass(frozen=True, eq=False)
class Trial:
    """One layer's result: figures for each kind of defect, and its surprise maps (N, h, w) of every validation image.

    `maps` holds the good images under "good" and the defective ones under their kind; coarse trials keep none.
    `stage` is "coarse" or "full".
    """

    layer: str
    stage: str
    seconds: float
    figures: dict[str, Figures]
    maps: dict[str, np.ndarray]


def run_trials(
    extractor: Extractor, layers: Sequence[Layer], stage: Round, advance: Callable[[int], None] | None = None
) -> Iterator[Trial]:
    """Fit a detector on each layer alone and measure it; two passes of the network for the whole group of layers."""
    start = time.perf_counter()
    validation = stage.validation
    detectors: dict[LayerSet, Detector] = {(layer.name,): clone(stage.detector) for layer in layers}
    fit_detectors(extractor, validation.train, detectors, advance)
    maps = map_images(extractor, validation.measured, detectors, advance)
    shared = (time.perf_counter() - start) / len(layers)

    def judged(layer: Layer) -> Trial:
        start = time.perf_counter()
        parts = validation.parted(maps.pop((layer.name,)))
        surprise = Surprise.of(parts[GOOD])
        surprises = {name: np.stack([surprise(one) for one in stack]) for name, stack in parts.items()}
        figures = stage.judge.figures(stage.judge.upsampled(surprises))
        kept = surprises if stage.keeps_maps else {}
        return Trial(layer.name, stage.name, shared + time.perf_counter() - start, figures, kept)

    yield from side_by_side(judged, layers)


class TrialStore:
    """Finished trials in a folder, one file each, so that a killed search goes on where it stopped."""

    def __init__(self, folder: Path | None, settings: dict[str, object]) -> None:
        self._trials: dict[tuple[str, str], Trial] = {}
        self._folder = folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        stamp = folder / "settings.json"
        text = json.dumps(settings, sort_keys=True, default=str).encode()
        if not stamp.exists() or stamp.read_bytes() != text:
            for old in folder.glob("*.npz"):
                old.unlink()
            stamp.write_bytes(text)
        for path in sorted(folder.glob("*.npz")):
            trial = _read(path)
            if trial is not None:
                self._trials[trial.stage, trial.layer] = trial

    def get(self, stage: str, layer: str) -> Trial | None:
        """A finished trial, or None."""
        return self._trials.get((stage, layer))

    def put(self, trial: Trial) -> None:
        """Keep a trial; on disk it appears whole or not at all."""
        self._trials[trial.stage, trial.layer] = trial
        if self._folder is None:
            return
        header = {
            "layer": trial.layer,
            "stage": trial.stage,
            "seconds": trial.seconds,
            "figures": {kind: asdict(figures) for kind, figures in trial.figures.items()},
        }
        path = self._folder / f"{trial.stage}-{trial.layer}.npz"
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            arrays = {f"map_{kind}": stack for kind, stack in trial.maps.items()}
            np.savez(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)
        partial.replace(path)


def _read(path: Path) -> Trial | None:
    """A stored trial; one that was cut off is made again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            maps = {name.removeprefix("map_"): stored[name] for name in stored.files if name.startswith("map_")}
        figures = {kind: Figures(**values) for kind, values in header["figures"].items()}
        return Trial(header["layer"], header["stage"], header["seconds"], figures, maps)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        path.unlink(missing_ok=True)
        return None
