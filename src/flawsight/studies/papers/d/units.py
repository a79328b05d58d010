"""The grids of paper D: methods, levels, adaptors, noise and neighbourhoods as plain units."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from flawsight.core import JOIN, FlawsightError
from flawsight.detectors import Detector, make_detectors
from flawsight.features import Extractor, stage_ends
from flawsight.settings import StudySettings
from flawsight.studies.grid import bases
from flawsight.studies.layers import detectors_of, studied_layers
from flawsight.studies.products import network_of
from flawsight.studies.study import Unit

SIMPLENET = "simplenet"
USUAL = "level2+level3"
"""The second and third stage of a network together, as in the paper."""
COMBINED = ("level1", "level2", "level3", "level1+level2", USUAL, "level1+level2+level3")
ADAPTORS = ("", "adaptor=mlp", "adaptor=none", "loss=cross_entropy")
ADAPTED = ("adaptor", "loss")
NOISES, ABSOLUTE_NOISES = (0.1, 0.2, 0.4, 0.8, 1.6), (0.00375, 0.0075, 0.015, 0.03, 0.06)
"""Standard deviations: in units of the descriptors' own, and, with `noise_relative=false`, about the paper's 0.015."""
NEIGHBOURHOODS = (1, 3, 5, 7)


def method_units(settings: StudySettings) -> Iterator[Unit]:
    """Table 1 and, over several networks, Table 4: each method as it is."""
    for base in _bases(settings):
        for method in settings.detector:
            yield from _with_seeds(base, settings, method=method, layers=usual_layers(settings, base))


def level_units(settings: StudySettings) -> Iterator[Unit]:
    """Table 2: the first three stages alone and together."""
    if settings.layers != "all":
        raise FlawsightError("this study compares the levels of the network: leave --layers out")
    for base in _bases(settings):
        for layers in COMBINED:
            yield from _with_seeds(base, settings, method=SIMPLENET, layers=layers)


def adaptor_units(settings: StudySettings) -> Iterator[Unit]:
    """Table 3 and Figure 7: other adaptors, and the other loss."""
    for name in settings.parameter:
        if name.removeprefix(f"{SIMPLENET}.") in ADAPTED:
            raise FlawsightError(f"--parameter {name}: this study sets it itself; leave it out")
    yield from _variants(settings, lambda _: ADAPTORS)


def plain_units(settings: StudySettings) -> Iterator[Unit]:
    """Figure 4: SimpleNet as it is."""
    yield from _variants(settings, lambda _: ("",))


def noise_units(settings: StudySettings) -> Iterator[Unit]:
    """Figure 5: SimpleNet with each amount of noise."""

    def noises(detector: Detector) -> Iterator[str]:
        own = detector.get_params()
        for noise in NOISES if own["noise_relative"] else ABSOLUTE_NOISES:
            yield "" if noise == own["noise"] else f"noise={noise}"

    yield from _variants(settings, noises)


def neighbourhood_units(settings: StudySettings) -> Iterator[Unit]:
    """Figure 6: SimpleNet on windows of each side."""

    def sides(detector: Detector) -> Iterator[str]:
        usual = detector.get_params()["neighbourhood"]
        for side in NEIGHBOURHOODS:
            yield "" if side == usual else f"neighbourhood={side}"

    yield from _variants(settings, sides)


def _variants(settings: StudySettings, variants_of: Callable[[Detector], Iterable[str]]) -> Iterator[Unit]:
    if SIMPLENET not in settings.detector:
        raise FlawsightError("this study is of SimpleNet alone: leave --detector out")
    detector = detectors_of(settings, 0)[SIMPLENET]
    for base in _bases(settings):
        layers = usual_layers(settings, base)
        for variant in variants_of(detector):
            yield from _with_seeds(base, settings, method=SIMPLENET, layers=layers, variant=variant)


def _bases(settings: StudySettings) -> Iterator[Unit]:
    """Each category, network and image size."""
    detectors_of(settings, 0)  # what is unknown is said before long work
    return bases(settings)


def _with_seeds(base: Unit, settings: StudySettings, **values: str) -> Iterator[Unit]:
    for seed in settings.seeds:
        yield replace(base, seed=seed, **values)  # type: ignore[arg-type] # texts all


def usual_layers(settings: StudySettings, base: Unit) -> str:
    """Levels 2 and 3, or the layers that were asked for, together."""
    if settings.layers == "all":
        return USUAL
    asked = settings.model_copy(update={"most_layers": None})  # read together, and not compared
    return JOIN.join(layer.name for layer in studied_layers(asked, network_of(settings, base)))


def read_layers(network: Extractor, layers: str) -> tuple[str, ...]:
    """The names of the layers that a unit reads; FlawsightError where the network has no such level."""
    known = stage_ends(network.layers)
    return tuple(_read(network, name, known) for name in layers.split(JOIN))


def _read(network: Extractor, name: str, known: tuple[str, ...]) -> str:
    found = re.fullmatch(r"level(\d)", name)
    if not found:
        return network.layer(name).name
    number = int(found[1])
    if number > len(known):
        said = f"the network '{network.name}' has {len(known)} stages from stride 4 on, and no {name}"
        raise FlawsightError(f"{said}: name other layers with --layers, or another network")
    return known[number - 1]


def detector_of(settings: StudySettings, unit: Unit) -> Detector:
    """The unit's method with its parameters, those of the variant over those of the settings."""
    own = dict(one.split("=", 1) for one in unit.variant.split())
    given = {f"{unit.method}.{name}": _value(text) for name, text in own.items()}
    # A parameter may be for another of the methods: all are made, and one is kept.
    return make_detectors(",".join(settings.detector), {**settings.parameter, **given}, unit.seed)[unit.method]


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
