"""Probability of detection: artificial defects of known size on good pictures that detectors had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from flawsight.bundle import PodInfo, PodOfKind
from flawsight.core import FlawsightError
from flawsight.defects import SIZED, described_product, side_of
from flawsight.features import Extractor
from flawsight.metrics import Pod, pod_curve
from flawsight.pipeline.calibrate import Calibration, judged
from flawsight.pipeline.defect_sources import LOOKED_AT
from flawsight.pipeline.learn import CrossFit, find_held_out
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.record import Run
from flawsight.pipeline.trust.study import PodStudy, Shown
from flawsight.selection.pictures import PlantedDefect, PlantedPictures, Planter
from flawsight.selection.pictures.planted import CONTRAST
from flawsight.settings import DefectSettings
from flawsight.views import Chosen, Frame, Inputs

TRIALS = 60
"""Defects of a kind, as many as MIL-HDBK-1823A asks of a hit/miss study; each on a picture of its own, if there are."""
FEWEST = 24
"""Of fewer pictures each carries as many defects of a kind as it takes to reach this."""
SIZES = 10
SHARE = 0.1
"""Sizes go from one pixel to this share of the short side of what is inspected."""


@dataclass(frozen=True, eq=False)
class _Trial:
    kind: str
    size: int
    planted: PlantedDefect


def measure_pod(
    network: Extractor, good: GoodImages, learned: CrossFit, found: Calibration, settings: DefectSettings, run: Run
) -> PodStudy | None:
    """Defects of all kinds and sizes on held-out pictures, at the operating point; None where none found room.

    Pictures that are stopped without a defect carry none: it would not be known what they are stopped for.
    """
    threshold = found.operating_point.threshold
    calm = np.flatnonzero(found.scores <= threshold)
    trials = _trials(good, calm, settings)
    if not trials:
        return None
    assert good.view is not None
    planted = [one.planted for one in trials]
    frames = [good.view.frame(good.sizes[one.base], good.region) for one in planted]
    changed = [frame.touching(one.box) for frame, one in zip(frames, planted, strict=True)]
    inputs = Inputs(PlantedPictures(good.pictures, planted), frames, changed)
    fold_of = learned.fold_of[[planted[picture].base for picture in inputs.picture_of]]
    with run.progress.stage("Trying artificial defects", len(inputs)) as advance:
        own = find_held_out(network, inputs, learned.by_fold, fold_of, advance)

    def answer(number: int) -> tuple[np.ndarray, float]:
        """The joined map and the score: squares that the defect does not touch are as they were."""
        squares = [learned.held_out[at] for at in good.inputs.of_picture(planted[number].base)]
        for tile, at in zip(changed[number], inputs.of_picture(number), strict=True):
            squares[tile] = own[at]
        return judged(frames[number], squares, found.members)

    scores = np.array([answer(number)[1] for number in range(len(trials))])
    kinds = tuple(_of_kind(kind, trials, scores > threshold) for kind in dict.fromkeys(one.kind for one in trials))
    shown = {}
    for one in kinds:
        number = _typical(one.curve, one.kind, trials, scores > threshold)
        if number is not None:
            shown[one.kind] = _shown(good, trials[number], frames[number], answer(number)[0])
    pictures = len({one.base for one in planted})
    return PodStudy(PodInfo(kinds=kinds, contrast=CONTRAST, pictures=pictures, threshold=threshold), shown)


def sizes_to_try(largest: float) -> list[int]:
    """Whole pixels from 1 to about `largest`, evenly by ratio."""
    return np.unique(np.round(np.geomspace(1, max(2.0, largest), SIZES)).astype(int)).tolist()


def _trials(good: GoodImages, calm: np.ndarray, settings: DefectSettings) -> list[_Trial]:
    """What is planted where, picture after picture, so that each is decoded once; kinds without room are left out."""
    boxes = [(0, 0, width, height) if good.region is None else good.region.box for height, width in good.sizes]
    sizes = sizes_to_try(SHARE * float(np.median([min(box[2:]) for box in boxes])))
    product = described_product(good.images[:LOOKED_AT], settings.seed, settings.texture, settings.foreground)
    planter = Planter(good.pictures, boxes, product, settings.seed, good.region)
    drawn = np.random.default_rng([settings.seed, 2]).permutation(calm)[:TRIALS]
    times = -(-FEWEST // len(drawn)) if len(drawn) else 0
    wanted = []
    for kind in SIZED:
        # Every size as often, on whichever picture.
        order = np.random.default_rng([settings.seed, crc32(kind.encode())]).permutation(len(drawn) * times)
        wanted += [(int(drawn[at % len(drawn)]), kind, sizes[turn % len(sizes)], int(at)) for turn, at in enumerate(order)]
    found = []
    for picture, kind, size, at in sorted(wanted):
        rng = np.random.default_rng([settings.seed, crc32(kind.encode()), at])
        with suppress(FlawsightError):
            found.append(_Trial(kind, size, planter.plant_sized(kind, picture, size, rng)))
    return sorted(found, key=lambda one: list(SIZED).index(one.kind))


def _of_kind(kind: str, trials: Sequence[_Trial], is_found: np.ndarray) -> PodOfKind:
    own = [number for number, one in enumerate(trials) if one.kind == kind]
    curve = pod_curve([trials[number].size for number in own], is_found[own])
    sides = [
        float(np.mean([side_of(trials[number].planted.mask) for number in own if trials[number].size == size]))
        for size in curve.sizes
    ]
    return PodOfKind(kind=kind, curve=curve, sides=tuple(sides))


def _typical(curve: Pod, kind: str, trials: Sequence[_Trial], is_found: np.ndarray) -> int | None:
    """The number of a trial that was found, of about the size from which nine in ten are; of the largest, else."""
    size = curve.found_from or curve.sizes[-1]
    own = [number for number, one in enumerate(trials) if one.kind == kind and is_found[number]]
    return min(own, key=lambda number: abs(np.log(trials[number].size / size)), default=None)


def _shown(good: GoodImages, trial: _Trial, frame: Frame, joined: np.ndarray) -> Shown:
    image = trial.planted.on(good.pictures[trial.planted.base])
    return Shown(image, trial.planted.mask_in(image.shape[:2]), frame.to_picture(joined), trial.size)
