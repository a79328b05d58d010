"""The grids of paper C: distances on levels, folds, working points and baselines as plain units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from flawsight.core import JOIN, FlawsightError
from flawsight.data import check_label_preserving
from flawsight.features import Extractor, levels
from flawsight.settings import StudySettings
from flawsight.studies.grid import bases
from flawsight.studies.layers import studied_layers
from flawsight.studies.products import network_of
from flawsight.studies.study import Unit

FOLDS = 5
SIGMAS = range(1, 6)
LEVEL = 7
"""The level, counted from 1, at which the paper sets its working point."""
MAHALANOBIS, NPCA = "Mahalanobis", "NPCA 1 %"
DISTANCES: dict[str, dict[str, Any]] = {
    "L2": {"distance": "euclidean"},
    "SED": {"distance": "standardised"},
    MAHALANOBIS: {},
    "PCA 99 %": {"reduction": "pca", "variance": 0.99},
    "PCA 95 %": {"reduction": "pca", "variance": 0.95},
    NPCA: {"reduction": "npca", "variance": 0.99},
    "NPCA 0.1 %": {"reduction": "npca", "variance": 0.999},
    "NPCA 0.01 %": {"reduction": "npca", "variance": 0.9999},
}
"""By their names in the tables: the parameters of `fit_gaussian`. The first three are Table I's."""
BY_DISTANCE = ("L2", "SED", MAHALANOBIS)
BY_COMPONENTS = tuple(name for name in DISTANCES if name not in BY_DISTANCE[:2])
OPERATING = ("PCA 99 %", MAHALANOBIS, NPCA)
SUPERVISED = "supervised"


@dataclass(frozen=True)
class Part:
    """What is learned from, and at which rate: the text of a unit's variant.

    `fold`: of the five, the one that is left out. `copies`: changed ones of each image; 0 for the images as they are.
    """

    fold: int
    copies: int = 0
    changes: tuple[str, ...] = ()
    sigma: int = 0

    @property
    def text(self) -> str:
        """As it stands in a unit."""
        parts = [f"fold={self.fold}"]
        parts += [f"copies={self.copies}", f"changes={JOIN.join(self.changes)}"] if self.copies else []
        parts += [f"sigma={self.sigma}"] if self.sigma else []
        return " ".join(parts)

    @classmethod
    def of(cls, text: str) -> Part:
        """The inverse of `text`."""
        given = dict(part.split("=", 1) for part in text.split())
        changes = tuple(given.pop("changes", "").split(JOIN)) if "changes" in given else ()
        return cls(**{name: int(value) for name, value in given.items()}, changes=changes)

    @property
    def learned(self) -> Part:
        """The same, whatever the rate."""
        return replace(self, sigma=0)


def parts_of(settings: StudySettings) -> Iterator[Part]:
    """Five folds of the images as they are, and, where copies are asked for, of those."""
    for copies in dict.fromkeys((0, settings.augment)):
        for fold in range(1, FOLDS + 1):
            yield Part(fold, copies, settings.label_preserving if copies else ())


def seeded_bases(settings: StudySettings) -> Iterator[tuple[Unit, Extractor]]:
    """Each category, network, image size and seed."""
    check_label_preserving(settings.label_preserving)
    for base in bases(settings):
        network = network_of(settings, base)
        for seed in settings.seeds:
            yield replace(base, seed=seed), network


def levels_of(settings: StudySettings, network: Extractor) -> tuple[str, ...]:
    """The names of the levels that are compared: those of the paper, or the layers that were asked for."""
    if settings.layers == "all":
        settings = settings.model_copy(update={"layers": ",".join(levels(network.layers))})
    return tuple(layer.name for layer in studied_layers(settings, network))


def distance_units(settings: StudySettings) -> Iterator[Unit]:
    """Table I: L2, SED and Mahalanobis on each level and their sum."""
    return _level_units(settings, BY_DISTANCE)


def network_units(settings: StudySettings) -> Iterator[Unit]:
    """Tables II and VII: Mahalanobis alone, for as many networks as are named."""
    return _level_units(settings, (MAHALANOBIS,))


def component_units(settings: StudySettings) -> Iterator[Unit]:
    """Table III: Mahalanobis on all components, on those of most and on those of least variance."""
    return _level_units(settings, BY_COMPONENTS)


def _level_units(settings: StudySettings, methods: tuple[str, ...]) -> Iterator[Unit]:
    for base, network in seeded_bases(settings):
        names = levels_of(settings, network)
        for part in parts_of(settings):
            for method in methods:
                for layers in dict.fromkeys((*names, JOIN.join(names))):
                    yield replace(base, method=method, layers=layers, variant=part.text)


def point_units(settings: StudySettings) -> Iterator[Unit]:
    """Table IV: the working point at each rate, on level 7 or on the layers that were asked for."""
    for base, network in seeded_bases(settings):
        names = (f"level {LEVEL}",) if settings.layers == "all" else levels_of(settings, network)
        for layers in names:
            for part in parts_of(settings):
                for method in OPERATING:
                    for sigma in SIGMAS:
                        yield replace(base, method=method, layers=layers, variant=replace(part, sigma=sigma).text)


def named_level(layers: str, network: Extractor) -> str:
    """The layer that a unit of Table IV means."""
    known = levels(network.layers)
    if layers != f"level {LEVEL}":
        return layers
    if len(known) < LEVEL:
        said = f"the network '{network.name}' has {len(known)} levels and no level {LEVEL}"
        raise FlawsightError(f"{said}: name the layer with --layers, such as {known[-2 if known[1:] else -1]}")
    return known[LEVEL - 1]


def baseline_units(settings: StudySettings) -> Iterator[Unit]:
    """Tables V and VIII: the sum over levels beside what the paper compares with."""
    for base, network in seeded_bases(settings):
        everything = JOIN.join(levels_of(settings, network))
        for part in parts_of(settings):
            for method in (MAHALANOBIS, NPCA, *settings.detector):
                if method != SUPERVISED:
                    yield replace(base, method=method, layers=everything, variant=part.text)
                elif not part.copies:  # the images held out to choose its best state would have copies in training
                    yield replace(base, method=method, variant=part.text)
