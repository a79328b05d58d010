"""Probability of detection: artificial defects of known size on good pictures that detectors had not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from flawsight.bundle import PodInfo, PodOfKind
from flawsight.core import FlawsightError
from flawsight.defects import SIZED, described_product, side_of
from flawsight.features import Extractor
from flawsight.inference.feature_pass import Advance
from flawsight.inference.held_out import find_held_out
from flawsight.metrics import Pod, pod_curve
from flawsight.pipeline.calibrate import Calibration, judged
from flawsight.pipeline.defect_sources import LOOKED_AT
from flawsight.pipeline.learn import CrossFit
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.record import Run
from flawsight.pipeline.trust.study import PodStudy, Shown
from flawsight.scoring import RawPrediction
from flawsight.selection.pictures import PlantedDefect, PlantedPictures, Planter
from flawsight.selection.pictures.planted import CONTRAST
from flawsight.settings import DefectSettings
from flawsight.views import Frame, Inputs

ROUNDS = 2
"""The first tries all sizes, the next those around which it changes from missed to found: it tells most there."""
TRIALS = 20
"""Defects of a kind in a round; of each kind on a picture of its own, if there are so many."""
SIZES = 10
SHARE = 0.1
"""Sizes go from one pixel to this share of the short side of what is inspected."""


@dataclass(frozen=True, eq=False)
class _Trial:
    kind: str
    size: int
    planted: PlantedDefect
    is_found: bool = False
    frame: Frame | None = None
    squares: tuple[tuple[RawPrediction, ...], ...] = ()


def measure_pod(
    network: Extractor, good: GoodImages, learned: CrossFit, found: Calibration, settings: DefectSettings, run: Run
) -> PodStudy | None:
    """Defects of all kinds and sizes on held-out pictures, at the operating point; None where none found room.

    Pictures that are stopped without a defect carry none: it would not be known what they are stopped for.
    """
    threshold = found.operating_point.threshold
    calm = np.flatnonzero(found.scores <= threshold)
    layout = _Layout.of(good, calm, settings)
    wanted = dict.fromkeys(SIZED, sizes_to_try(SHARE * layout.short_side))
    tried: list[_Trial] = []
    with run.progress.stage("Trying artificial defects", ROUNDS * TRIALS * len(SIZED)) as advance:
        for turn in range(ROUNDS):
            planted = layout.planted(wanted, turn)
            if planted:
                tried += _inspected(planted, network, good, learned, found, advance)
            wanted = {kind: narrowed(sizes, *_of(kind, tried)) for kind, sizes in wanted.items() if _of(kind, tried)[0]}
    if not tried:
        return None
    kinds = tuple(_of_kind(kind, tried) for kind in wanted)
    shown = {
        one.kind: _shown(good, typical, found) for one in kinds if (typical := _typical(one.curve, one.kind, tried))
    }
    pictures = len({one.planted.base for one in tried})
    return PodStudy(PodInfo(kinds=kinds, contrast=CONTRAST, pictures=pictures, threshold=threshold), shown)


def sizes_to_try(largest: float) -> list[int]:
    """Whole pixels from 1 to about `largest`, evenly by ratio."""
    return np.unique(np.round(np.geomspace(1, max(2.0, largest), SIZES)).astype(int)).tolist()


def narrowed(sizes: Sequence[int], tried: Sequence[float], found: Sequence[bool]) -> list[int]:
    """Of the sizes those from the largest below which none was found to the smallest above which all were."""
    hit = [size for size, is_found in zip(tried, found, strict=True) if is_found]
    missed = [size for size, is_found in zip(tried, found, strict=True) if not is_found]
    low, high = min(hit, default=sizes[-1]), max(missed, default=sizes[0])
    low, high = min(low, high), max(low, high)
    first, last = (int(np.argmin(np.abs(np.subtract(sizes, size)))) for size in (low, high))
    return list(sizes[max(0, first - 1) : last + 2])


def _of(kind: str, tried: Sequence[_Trial]) -> tuple[list[float], list[bool]]:
    own = [one for one in tried if one.kind == kind]
    return [float(one.size) for one in own], [one.is_found for one in own]


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where defects may go: the pictures that carry some, in which order each kind takes them, and who plants."""

    planter: Planter
    pictures: np.ndarray
    short_side: float
    seed: int

    @classmethod
    def of(cls, good: GoodImages, calm: np.ndarray, settings: DefectSettings) -> _Layout:
        boxes = [(0, 0, width, height) if good.region is None else good.region.box for height, width in good.sizes]
        product = described_product(good.images[:LOOKED_AT], settings.seed, settings.texture, settings.foreground)
        planter = Planter(good.pictures, boxes, product, settings.seed, good.region)
        drawn = np.random.default_rng([settings.seed, 2]).permutation(calm)[: ROUNDS * TRIALS]
        return cls(planter, drawn, float(np.median([min(box[2:]) for box in boxes])), settings.seed)

    def planted(self, wanted: Mapping[str, Sequence[int]], turn: int) -> list[_Trial]:
        """The defects of a round, picture after picture, so that each is decoded once; without those that lack room."""
        places = []
        for kind, sizes in wanted.items() if len(self.pictures) else ():
            order = np.random.default_rng([self.seed, crc32(kind.encode())]).permutation(self.pictures)
            numbers = range(turn * TRIALS, (turn + 1) * TRIALS)
            places += [(int(order[at % len(order)]), kind, sizes[at % len(sizes)], at) for at in numbers]
        found = []
        for picture, kind, size, at in sorted(places):
            rng = np.random.default_rng([self.seed, crc32(kind.encode()), at])
            with suppress(FlawsightError):
                found.append(_Trial(kind, size, self.planter.plant_sized(kind, picture, size, rng)))
        return found


def _inspected(
    trials: Sequence[_Trial],
    network: Extractor,
    good: GoodImages,
    learned: CrossFit,
    found: Calibration,
    advance: Advance,
) -> Iterator[_Trial]:
    """The same with what was found. Squares that a defect does not touch are as they were."""
    assert good.view is not None
    planted = [one.planted for one in trials]
    frames = [good.view.frame(good.sizes[one.base], good.region) for one in planted]
    changed = [frame.touching(one.box) for frame, one in zip(frames, planted, strict=True)]
    inputs = Inputs(PlantedPictures(good.pictures, planted), frames, changed)
    fold_of = learned.fold_of[[planted[picture].base for picture in inputs.picture_of]]
    share = len(trials) / max(1, len(inputs))
    own = find_held_out(network, inputs, learned.by_fold, fold_of, lambda steps: advance(steps * share))
    for number, one in enumerate(trials):
        squares = [learned.held_out[at] for at in good.inputs.of_picture(one.planted.base)]
        for tile, at in zip(changed[number], inputs.of_picture(number), strict=True):
            squares[tile] = own[at]
        _, score = judged(frames[number], squares, found.members)
        is_found = score > found.operating_point.threshold
        yield replace(one, is_found=is_found, frame=frames[number], squares=tuple(squares))


def _of_kind(kind: str, tried: Sequence[_Trial]) -> PodOfKind:
    curve = pod_curve(*_of(kind, tried))
    sides = [
        float(np.mean([side_of(one.planted.mask) for one in tried if one.kind == kind and one.size == size]))
        for size in curve.sizes
    ]
    return PodOfKind(kind=kind, curve=curve, sides=tuple(sides))


def _typical(curve: Pod, kind: str, tried: Sequence[_Trial]) -> _Trial | None:
    """One that was found, of about the size from which nine in ten are; of the largest, where that is not reached."""
    size = curve.found_from or curve.sizes[-1]
    own = [one for one in tried if one.kind == kind and one.is_found]
    return min(own, key=lambda one: abs(np.log(one.size / size)), default=None)


def _shown(good: GoodImages, trial: _Trial, found: Calibration) -> Shown:
    assert trial.frame is not None
    joined, _ = judged(trial.frame, trial.squares, found.members)
    image = trial.planted.on(good.pictures[trial.planted.base])
    return Shown(image, trial.planted.mask_in(image.shape[:2]), trial.frame.to_picture(joined), trial.size)
