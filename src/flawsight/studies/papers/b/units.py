"""The grids of paper B: single layers of several networks, and what the paper compares them with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from flawsight.core import JOIN
from flawsight.features import RANDOM_WEIGHTS, Extractor
from flawsight.settings import StudySettings
from flawsight.studies.grid import chosen_categories, networks
from flawsight.studies.layers import PAIR, detectors_of, studied_layers
from flawsight.studies.papers.a.measure import AUTO, OFFICIAL, OFFICIAL_DIM
from flawsight.studies.products import network_of
from flawsight.studies.study import Unit

SYNTHETIC = "synthetic"
"""The defects of units whose figure is our criterion; the others are measured on real ones."""
STAGES = "stages"
"""Instead of names of layers: the ends of the stages at strides 4, 8 and 16, which FastFlow reads."""
ORIGINAL = {"fastflow": STAGES, "ast": ""}
"""What methods read in their original configuration where it is not the pair; nothing where it is a single layer."""
Network = tuple[str, str]
"""An extractor and the name of its weights."""


def layer_units(settings: StudySettings) -> Iterator[Unit]:
    """Each layer alone, by every method, of every network at every image size."""
    return _single(settings, networks(settings))


def choice_units(settings: StudySettings) -> Iterator[Unit]:
    """The same, and what synthetic defects say of each of these layers."""
    for unit in layer_units(settings):
        yield unit
        yield replace(unit, defects=SYNTHETIC)


def ladder_units(settings: StudySettings) -> Iterator[Unit]:
    """The same, the methods' original configurations, and our search, which take the first network and image size."""
    yield from choice_units(settings)
    for category in chosen_categories(settings):
        for method, seed in product(settings.detector, settings.seeds):
            for unit in _beside(settings, method):
                yield replace(unit, category=category, method=method, image_size=settings.image_size[0], seed=seed)


def _beside(settings: StudySettings, method: str) -> Iterator[Unit]:
    """What a method is compared with, for a category and a seed."""
    every = networks(settings)
    first = Unit("", *every[0])
    layers = ORIGINAL.get(method, PAIR)
    if layers:
        yield replace(first, layers=layers)
    if layers == PAIR and method in OFFICIAL_DIM:
        yield replace(first, layers=PAIR, variant=OFFICIAL)
    if method == "patchcore" and len(every) > 1:
        extractors, weights = (JOIN.join(filter(None, parts)) for parts in zip(*every, strict=True))
        yield Unit("", extractors, weights, layers=PAIR, variant=OFFICIAL)
    yield replace(first, layers=AUTO)
    if len(settings.image_size) > 1:
        yield replace(first, layers=AUTO, variant=of_sizes(settings.image_size))


def of_sizes(sides: Sequence[int]) -> str:
    """The variant of our search that chooses among these image sizes, too."""
    return f"sizes {'/'.join(map(str, sides))}"


def pretraining_units(settings: StudySettings) -> Iterator[Unit]:
    """Each layer alone, with every one of the weights, and with random ones as the paper's baseline."""
    every = networks(settings)
    random = [(name, RANDOM_WEIGHTS) for name in dict.fromkeys(name for name, _ in every)]
    return _single(settings, list(dict.fromkeys([*every, *random])))


def _single(settings: StudySettings, every: Sequence[Network]) -> Iterator[Unit]:
    detectors_of(settings, 0)  # what is unknown is said before long work
    layers = _layers(settings, every)
    sides, methods, seeds = settings.image_size, settings.detector, settings.seeds
    for category, side, network, method in product(chosen_categories(settings), sides, every, methods):
        for layer, seed in product(layers[network[0]], seeds):
            yield Unit(category, *network, side, method, layer, seed=seed)


def _layers(settings: StudySettings, every: Sequence[Network]) -> dict[str, list[str]]:
    """The layers of each extractor: the same ones at all image sizes and with all weights, by the first of either."""
    found: dict[str, list[str]] = {}
    for name, weights in every:
        if name not in found:
            network = network_at(settings, Unit("", name, weights, settings.image_size[0]))
            found[name] = [layer.name for layer in studied_layers(settings, network)]
    return found


def network_at(settings: StudySettings, unit: Unit) -> Extractor:
    """The network of a unit, which may have random weights though no `--weights` say so."""
    if unit.weights == RANDOM_WEIGHTS:
        settings = settings.model_copy(update={"weights": (RANDOM_WEIGHTS,)})
    return network_of(settings, unit)
