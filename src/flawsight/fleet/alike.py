"""Warm starts: some products are searched in full, and those alike try first what had won there."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.core import FlawsightError, Progress, spread
from flawsight.data import learn_pixel_format
from flawsight.detectors.patchcore import greedy_k_center
from flawsight.executors import Executor
from flawsight.features import JOINED, Extractor
from flawsight.fleet.products import Product
from flawsight.metrics import Metrics
from flawsight.pipeline.choose import Networks
from flawsight.pipeline.load_images import OVERVIEW, find_good
from flawsight.pipeline.plan import make_plan
from flawsight.selection import criterion, depths
from flawsight.selection.fusion import DEPTHS
from flawsight.settings import FitSettings
from flawsight.views import ImageCache

PICTURES = 8
"""Of each product that its features are measured on."""
LEAST = 4
"""Products, below which each is searched in full."""
NEIGHBOURS = 2
"""Products whose best layers are tried first."""
EACH = 6
"""Layers of each depth that are taken over from a product (docs/scale.md)."""


def warm_starts(
    products: Sequence[Product], executor: Executor, progress: Progress
) -> Iterator[tuple[Sequence[Product], Mapping[str, str]]]:
    """First the products to be searched in full, about the root of their number and unlike each other; then the rest,
    with the layers to be tried first by the product's name.

    The same whoever does the work, and in whichever order.
    """
    features = _measured(products, executor, progress)
    if len(features) < LEAST:
        yield products, {}
        return
    numbers = list(features)
    drawn = greedy_k_center(np.array(list(features.values())), math.ceil(math.sqrt(len(numbers))))
    pilots = [numbers[int(at)] for at in drawn]
    rest = [number for number in numbers if number not in pilots]
    yield [one for number, one in enumerate(products) if number not in rest], {}
    first = {}
    for number in rest:
        distance = {pilot: float(np.linalg.norm(features[number] - features[pilot])) for pilot in pilots}
        near = sorted(pilots, key=distance.__getitem__)[:NEIGHBOURS]
        if proposed := dict.fromkeys(layer for pilot in near for layer in _best_layers(products[pilot])):
            first[products[number].name] = ",".join(proposed)
    yield [products[number] for number in rest], first


def _measured(products: Sequence[Product], executor: Executor, progress: Progress) -> dict[int, np.ndarray]:
    """Features by the product's number, of those that are searched by the same network and can be read."""
    settings = [one.settings for one in products]
    usual = _network_of(settings[0])
    chosen = [
        number
        for number, one in enumerate(settings)
        if _network_of(one) == usual and one.layers == "all" and _is_searched(one)
    ]
    found = {}
    with progress.stage("Comparing products", len(chosen)) as advance:
        for outcome in executor.map(ProductFeatures(), [products[number] for number in chosen]):
            if outcome.value is not None:
                found[chosen[outcome.number]] = outcome.value
            advance(1)
    return dict(sorted(found.items()))


def _is_searched(settings: FitSettings) -> bool:
    """Whether layers are chosen in a way that takes proposals."""
    try:
        return settings.search == "auto" and make_plan(settings.model_copy(update={"out": None})).searches
    except FlawsightError:
        return False


def _network_of(settings: FitSettings) -> tuple[object, ...]:
    """What tells its network from others; a random one follows the seed."""
    return settings.extractor, settings.weights, settings.seed if settings.has_random_weights else None


def _network(settings: FitSettings) -> Extractor:
    return Networks(settings).at(min(settings.sides, default=OVERVIEW))


@dataclass(frozen=True)
class ProductFeatures:
    """What a product's good pictures look like to the network: the mean of its last features, of length 1."""

    def __call__(self, product: Product) -> np.ndarray | None:
        """(channels,), or None where the pictures cannot be read."""
        settings = product.settings
        try:
            paths, *_ = find_good(settings, settings.good)
            few = [paths[at] for at in spread(len(paths), PICTURES)]
            pixels = learn_pixel_format(few, settings.bayer, settings.bits, settings.max_pixels)
            network = _network(settings)
            last = network.layers[-1]
            images = ImageCache(few, network.image_size, settings.max_pixels, pixels)
            maps = [network.extract([image], [last.name])[last.name] for image in images]
        except Exception:  # the fit will say what is wrong
            return None
        mean: np.ndarray = np.mean([one.mean(dim=(0, 2, 3)).cpu().numpy() for one in maps], axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


def _best_layers(product: Product) -> list[str]:
    """The layers that saw most when the product was searched, so many of each depth."""
    settings, found = product.settings, defaultdict[tuple[str, str], dict[str, Metrics]](dict)
    assert settings.out is not None
    try:
        with (settings.out / "selection.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if not row["same_as"] and not row.get("variant") and row.get("kind") != JOINED:
                    metrics = Metrics(float(row["auroc"]), float(row["aupro"]))
                    found[row["layer"], row["detector"]][row["defects"]] = metrics
    except OSError:  # it could not be fitted
        return []
    depth_of = depths(_network(settings).layers)
    best = list(dict.fromkeys(layer for layer, _ in sorted(found, key=lambda one: -criterion(found[one]))))
    return [layer for depth in DEPTHS for layer in [one for one in best if depth_of[one] == depth][:EACH]]
