"""Trials: one candidate measured on the synthetic validation set, on disk as soon as it is done."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from sklearn.base import clone

from flawsight.core import JOIN, writable_folder, write_whole, written_whole
from flawsight.detectors import Detector
from flawsight.features import Extractor
from flawsight.inference import LayerSet, MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import Metrics
from flawsight.scoring import MapCalibrator, RawPrediction, ScoreStandardizer
from flawsight.selection.evaluator import GOOD
from flawsight.selection.race.fidelity import Fidelity
from flawsight.training import TrainingContext, parallel_map


class Candidate(NamedTuple):
    """What may be chosen: a layer, or several joined by +, and the detector that reads it, by name.

    `variant`: what differs from the detector as it was given, one of its `variants`; empty for nothing.

    >>> Candidate("blocks.2.1.add+blocks.4.2.add", "patchcore", "neighbourhood=1").layers
    ('blocks.2.1.add', 'blocks.4.2.add')
    """

    layer: str
    detector: str
    variant: str = ""

    @property
    def layers(self) -> LayerSet:
        """The layers that are read together."""
        return tuple(self.layer.split(JOIN))

    def reader(self, detectors: Mapping[str, Detector]) -> Detector:
        """Its detector, of these by name."""
        detector = detectors[self.detector]
        return detector.variants()[self.variant] if self.variant else detector

    @property
    def label(self) -> str:
        """A name for files."""
        return "-".join(part for part in (self.detector, self.variant, self.layer) if part)


@dataclass(frozen=True, eq=False)
class Trial:
    """One candidate's result: figures for each kind of defect, and its calibrated maps of every validation image.

    `maps` (N, h, w) holds the good images under "good" and the defective ones under their kind; coarse trials keep
    none. `scores` (N,) likewise, where the detector scores images in its own way, else nothing. `stage` is "coarse" or
    "full".

    >>> trial = fitted.record.selection.trials_[0]
    >>> trial.stage, trial.layer, sorted(trial.figures)
    ('coarse', 'blocks.1.0.conv_pw', ['nsa', 'perlin', 'scratch'])
    """

    candidate: Candidate
    stage: str
    seconds: float
    figures: dict[str, Metrics]
    maps: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]

    @property
    def layer(self) -> str:
        """The candidate's layer."""
        return self.candidate.layer


def run_trials(
    extractor: Extractor,
    candidates: Sequence[Candidate],
    stage: Fidelity,
    advance: Callable[[float], None] | None = None,
    folder: Path | None = None,
) -> Iterator[Trial]:
    """Fit each candidate's detector on its layer and measure it; two passes of the network for the whole group.

    Long trainings keep their checkpoints in `folder`.
    """
    start = time.perf_counter()
    validation = stage.validation
    members = [MemberSpec(one.layers, clone(one.reader(stage.detectors))) for one in candidates]
    trainings = [TrainingContext(folder / f"{stage.name}-{one.label}" if folder else None) for one in candidates]
    fit_detectors(extractor, validation.train, members, advance, trainings)
    found: list[RawPrediction | None] = [*predict_raw(extractor, validation.measured, members, advance)]
    shared = (time.perf_counter() - start) / len(candidates)

    def judged(number: int) -> Trial:
        start = time.perf_counter()
        one, found[number] = found[number], None  # let go of it once it is judged
        assert one is not None
        parts = validation.parted(one.maps)
        calibrator = MapCalibrator.of(validation.inspected(parts[GOOD]))
        calibrated = {name: np.stack([calibrator(one) for one in stack]) for name, stack in parts.items()}
        scores = {} if one.scores is None else scaled(stage.evaluator.image_scores(validation.parted(one.scores)))
        figures = stage.evaluator.figures(stage.evaluator.upsampled(calibrated), scores)
        seconds = shared + time.perf_counter() - start
        kept = (calibrated, scores) if stage.keeps_maps else ({}, {})
        return Trial(candidates[number], stage.name, seconds, figures, *kept)

    yield from parallel_map(judged, range(len(candidates)))


def scaled(scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Image scores in standard deviations from the mean of the good ones."""
    scale = ScoreStandardizer.of(scores[GOOD])
    return {name: scale(values) for name, values in scores.items()}


class TrialStore:
    """Finished trials in a folder, one file each, so that a killed search goes on where it stopped."""

    def __init__(self, folder: Path | None, settings: dict[str, object]) -> None:
        self._trials: dict[tuple[str, Candidate], Trial] = {}
        self.folder = folder
        if folder is None:
            return
        writable_folder(folder)
        stamp = folder / "settings.json"
        text = json.dumps(settings, sort_keys=True, default=str).encode()
        if not stamp.exists() or stamp.read_bytes() != text:
            for old in folder.glob("*.npz"):
                old.unlink()
            for old in folder.glob("*/"):
                shutil.rmtree(old)
            write_whole(stamp, text)
        for path in sorted(folder.glob("*.npz")):
            trial = _read(path)
            if trial is not None:
                self._trials[trial.stage, trial.candidate] = trial

    def get(self, stage: str, candidate: Candidate) -> Trial | None:
        """A finished trial, or None."""
        return self._trials.get((stage, candidate))

    def put(self, trial: Trial) -> None:
        """Keep a trial; on disk it appears whole or not at all."""
        self._trials[trial.stage, trial.candidate] = trial
        if self.folder is None:
            return
        header = {
            "layer": trial.candidate.layer,
            "detector": trial.candidate.detector,
            "variant": trial.candidate.variant,
            "stage": trial.stage,
            "seconds": trial.seconds,
            "figures": {kind: asdict(figures) for kind, figures in trial.figures.items()},
        }
        path = self.folder / f"{trial.stage}-{trial.candidate.label}.npz"
        arrays = {f"map_{kind}": stack for kind, stack in trial.maps.items()}
        arrays |= {f"score_{kind}": values for kind, values in trial.scores.items()}
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)
        shutil.rmtree(self.folder / path.stem, ignore_errors=True)  # the training's checkpoints


def _read(path: Path) -> Trial | None:
    """A stored trial; one that was cut off is made again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            maps, scores = (
                {name.removeprefix(prefix): stored[name] for name in stored.files if name.startswith(prefix)}
                for prefix in ("map_", "score_")
            )
        figures = {kind: Metrics(**values) for kind, values in header["figures"].items()}
        candidate = Candidate(header["layer"], header["detector"], header["variant"])
        return Trial(candidate, header["stage"], header["seconds"], figures, maps, scores)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        path.unlink(missing_ok=True)
        return None
