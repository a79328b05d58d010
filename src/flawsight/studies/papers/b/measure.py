"""The rows of paper B: layers on real and on synthetic defects, several layers or networks together, our search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np

from flawsight.core import JOIN, FlawsightError
from flawsight.data import DEFECTIVE, image_size, learn_masks
from flawsight.defects import AUTO_KINDS
from flawsight.features import Extractor, effective_receptive_fields, stage_ends
from flawsight.inference import MemberSpec
from flawsight.scoring import RawPrediction
from flawsight.selection import ValidationSet, criterion, make_validation_set
from flawsight.settings import StudySettings
from flawsight.studies.grid import networks
from flawsight.studies.layers import fitted_and_asked, names_of
from flawsight.studies.papers.a.measure import AUTO, FIGURES, detector_of, of_search
from flawsight.studies.papers.b.units import STAGES, network_at
from flawsight.studies.products import Product, product_of
from flawsight.studies.rows import ERROR
from flawsight.studies.study import Row, Unit

COLUMNS: dict[str, type] = {
    "reads": str,
    "order": float,
    "rrf": float,
    "defect_size": float,
    **dict.fromkeys(FIGURES, float),
    "criterion": float,
}
"""`rrf`: of a single layer, relative to the image's side, as is `defect_size`, the median over the real defects.
`criterion`: what synthetic defects say, where these were asked; the other figures are on the real test images."""
FINEST_STAGES = 3
"""FastFlow reads the ends of the first three stages."""
EIGHT_CONNECTED = 8


def measure_layers(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """The rows of units of one category, network (or ensemble), image size and seed."""
    product = product_of(settings, units[0])
    if units[0].extractor not in settings.extractor:
        return [_of_ensemble(unit, settings, product) for unit in units]
    network = network_at(settings, units[0])
    rows: dict[Unit, Row] = {}
    members: dict[Unit, MemberSpec] = {}
    for unit in units:
        try:
            if unit.layers == AUTO:
                rows[unit] = _of_search(unit, settings, product, network)
            else:
                members[unit] = MemberSpec(_names(network, unit), detector_of(unit, settings))
        except FlawsightError as error:
            rows[unit] = {ERROR: str(error)}
    rows |= _on_real({unit: one for unit, one in members.items() if not unit.defects}, product, network)
    rows |= _on_synthetic({unit: one for unit, one in members.items() if unit.defects}, product, network)
    return [rows[unit] for unit in units]


def _names(network: Extractor, unit: Unit) -> tuple[str, ...]:
    if unit.layers != STAGES:
        return names_of(network, unit.layers)
    found = stage_ends(network.layers)[:FINEST_STAGES]
    if len(found) < FINEST_STAGES:
        raise FlawsightError(f"'{network.name}' has {len(found)} stages of stride 4 or more, and FastFlow reads three")
    return found


def _on_real(members: Mapping[Unit, MemberSpec], product: Product, network: Extractor) -> dict[Unit, Row]:
    """Learned from all good images and measured on the test images."""
    if not members:
        return {}
    specs = list(members.values())
    single = [member.layers[0] for member in specs if len(member.layers) == 1]
    fields = effective_receptive_fields(network, layers=single) if single else {}

    def judge(number: int, found: RawPrediction) -> Row:
        names = specs[number].layers
        own = {"rrf": fields[names[0]].relative, "order": network.layer(names[0]).order} if len(names) == 1 else {}
        return {"reads": JOIN.join(names), **own, "defect_size": defect_size(product), **product.measured(found)}

    return dict(zip(members, fitted_and_asked(network, product.good, product.test, specs, judge), strict=True))


def _on_synthetic(members: Mapping[Unit, MemberSpec], product: Product, network: Extractor) -> dict[Unit, Row]:
    """Our criterion: learned from 70 % of the good images, measured on our kinds of defects in the others."""
    if not members:
        return {}
    try:
        validation = _validation(product, next(iter(members)).seed)
    except FlawsightError as error:
        return {unit: {ERROR: str(error)} for unit in members}
    evaluator, specs = validation.evaluator(product.side), list(members.values())

    def judge(number: int, found: RawPrediction) -> Row:
        own = None if found.scores is None else validation.parted(found.scores)
        figures = evaluator.figures(evaluator.upsampled(validation.parted(found.maps)), own)
        return {"reads": JOIN.join(specs[number].layers), "criterion": criterion(figures)}

    return dict(
        zip(members, fitted_and_asked(network, validation.train, validation.measured, specs, judge), strict=True)
    )


@lru_cache(maxsize=2)
def _validation(product: Product, seed: int) -> ValidationSet:
    """As `auto` has it: the images that carry defects are among the good ones, as they were before."""
    return make_validation_set(product.good, AUTO_KINDS, seed, may_drop=True).with_originals()


@lru_cache(maxsize=4)
def defect_size(product: Product) -> float | None:
    """The median over all defects of sqrt(area) / side of the picture, squashed to a square; None without masks."""
    masks, sizes = learn_masks(product.samples), list[float]()
    for sample in product.samples:
        if sample.label == DEFECTIVE and sample.masks:
            mask = masks.of(sample, image_size(sample.path))
            assert mask is not None
            areas = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=EIGHT_CONNECTED)[2][1:, -1]
            sizes += np.sqrt(areas / mask.size).tolist()
    return float(np.median(sizes)) if sizes else None


def _of_search(unit: Unit, settings: StudySettings, product: Product, network: Extractor) -> Row:
    """Our search among all layers of the network, not only those of the study, unless that is to be quick."""
    free = settings if settings.quick else settings.model_copy(update={"layers": "all", "most_layers": None})
    sides = settings.image_size if unit.variant else unit.image_size
    return of_search(unit, free, product, network, image_size=sides)


def _of_ensemble(unit: Unit, settings: StudySettings, product: Product) -> Row:
    """The pair of every network, joined as in the official PatchCore.

    Scores and maps of each are scaled by their extrema over the test images, as there, and averaged.
    """
    scores, maps, reads = [], [], []
    for extractor, weights in networks(settings):
        one = Unit(unit.category, extractor, weights, unit.image_size, unit.method, unit.layers, variant=unit.variant)
        network = network_at(settings, one)
        member = MemberSpec(_names(network, one), detector_of(unit, settings))
        (found,) = fitted_and_asked(network, product.good, product.test, [member], lambda _, raw: raw)
        own = product.upsampled(found.maps)
        scores.append(_scaled(own.max(axis=(1, 2))))
        maps.append(_scaled(own))
        reads.append(JOIN.join(member.layers))
    return {
        "reads": " ".join(reads),
        "defect_size": defect_size(product),
        **product.figures(np.mean(maps, axis=0), np.mean(scores, axis=0)),
    }


def _scaled(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / ((high - low) or 1)
