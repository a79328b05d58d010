"""Units that are layers of a network: which there are, and detectors fitted on many of them in two passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TypeVar

import numpy as np

from flawsight.core import JOIN, FlawsightError, default_progress, spread
from flawsight.detectors import Detector, make_detectors
from flawsight.features import Extractor, Layer, joined_layer
from flawsight.inference import MemberSpec, fit_detectors, predict_raw, release
from flawsight.scoring import RawPrediction
from flawsight.selection import Candidate
from flawsight.selection.memory import groups_that_fit, working_memory
from flawsight.selection.race.fidelity import high_fidelity
from flawsight.selection.validation import ValidationSet
from flawsight.settings import StudySettings
from flawsight.studies.grid import bases
from flawsight.studies.study import Unit
from flawsight.training import parallel_map

PAIR = "pair"
"""Instead of names of layers: the network's customary pair."""
Answer = TypeVar("Answer")


def studied_layers(settings: StudySettings, extractor: Extractor) -> list[Layer]:
    """The layers that are compared, in network order; those that repeat another's values are left out.

    `evenly:N` has receptive fields measured, which takes a minute or two where they are not known yet.
    """
    found = [layer for layer in extractor.select(settings.layers, default_progress()) if not layer.same_as]
    return [found[at] for at in spread(len(found), settings.most_layers or len(found))]


def detectors_of(settings: StudySettings, seed: int) -> dict[str, Detector]:
    """The methods of the settings by name, with their parameters; FlawsightError where one reads no single layer."""
    found = make_detectors(",".join(settings.detector), settings.parameter, seed)
    for name, detector in found.items():
        if detector.tags.input != "features":
            raise FlawsightError(f"the method '{name}' does not read single layers: leave it out of this study")
    return found


def units_of_methods(settings: StudySettings, every: Sequence[Mapping[str, str]]) -> Iterator[Unit]:
    """Each of these variations of a unit, for each category, network, image size, method and seed."""
    detectors_of(settings, 0)  # what is unknown is said before long work
    for base, method, one, seed in product(bases(settings), settings.detector, every, settings.seeds):
        yield replace(base, method=method, seed=seed, **one)  # type: ignore[arg-type] # all texts


def names_of(extractor: Extractor, layers: str) -> tuple[str, ...]:
    """The layers that a unit names: some joined by +, or the customary pair."""
    return extractor.default_pair if layers == PAIR else tuple(layers.split(JOIN))


def fitted_and_asked(
    extractor: Extractor,
    train: Sequence[np.ndarray],
    asked: Sequence[np.ndarray],
    members: Sequence[MemberSpec],
    judge: Callable[[int, RawPrediction], Answer],
) -> Iterator[Answer]:
    """`judge(number, found)` of every member, fitted on `train`: what it finds in `asked`, in order of the members.

    As many members at once as fit into memory, from two passes of the network.
    """
    start = 0
    for count in _counts(extractor, train, asked, members):
        some = members[start : start + count]
        fit_detectors(extractor, train, some)
        found: list[RawPrediction | None] = [*predict_raw(extractor, asked, some)]

        def one(place: int, first: int = start, found: list[RawPrediction | None] = found) -> Answer:
            raw, found[place] = found[place], None  # let go of it once it is judged
            assert raw is not None
            return judge(first + place, raw)

        yield from parallel_map(one, range(count))
        release()
        start += count


def _counts(
    extractor: Extractor, train: Sequence[np.ndarray], asked: Sequence[np.ndarray], members: Sequence[MemberSpec]
) -> list[int]:
    """How many members go together."""
    layers, detectors = {}, {}
    for number, member in enumerate(members):
        parts = [extractor.layer(name) for name in member.layers]
        layer = joined_layer(parts) if len(parts) > 1 else parts[0]
        layers[layer.name], detectors[str(number)] = layer, member.detector
    candidates = [Candidate(JOIN.join(member.layers), str(number)) for number, member in enumerate(members)]
    nothing = ValidationSet(train, asked, {}, None)  # type: ignore[arg-type] # no defect is made of it
    stage = high_fidelity(detectors, nothing, extractor.image_size)
    return [len(group) for group in groups_that_fit(candidates, layers, stage, working_memory(None))]
