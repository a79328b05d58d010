"""The rows of paper A: each layer, the customary pair, and our own search, on synthetic and on real defects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sklearn.base import clone

from flawsight.core import JOIN, FlawsightError, Silent
from flawsight.data import split_good
from flawsight.defects import AUTO_KINDS
from flawsight.detectors import Detector
from flawsight.features import Extractor, effective_receptive_fields
from flawsight.inference import MemberSpec
from flawsight.inspection import evaluate
from flawsight.pipeline import run_fit
from flawsight.scoring import RawPrediction
from flawsight.selection import ValidationSet, make_validation_set
from flawsight.settings import FitSettings, StudySettings
from flawsight.studies.grid import bases
from flawsight.studies.layers import PAIR, detectors_of, fitted_and_asked, names_of, studied_layers
from flawsight.studies.products import Product, network_of, product_of, weights_of
from flawsight.studies.rows import ERROR
from flawsight.studies.study import Row, Unit

KINDS = tuple(dict.fromkeys(("simple", "cutpaste", "nsa", *AUTO_KINDS)))
"""Paper A's three, and those of our own mixture."""
AUTO = "auto"
"""Instead of names of layers: our whole search, which may fuse layers of several depths."""
RRF = "rrf"
"""Instead of a method, and of no category: the relative receptive field of a layer is measured."""
NOISE_IMAGES, QUICK_NOISE_IMAGES = 20, 12
"""So many images of noise are receptive fields measured on, as `flawsight layers` does."""
OFFICIAL = "official"
"""The variant that joins and pools layers as the official codes of PatchCore and SimpleNet do."""
OFFICIAL_DIM = {"patchcore": 1024, "simplenet": 1536}
FIGURES = ("auroc", "aupro", "p_h")
COLUMNS: dict[str, type] = {
    "reads": str,
    "block": str,
    "kind": str,
    "order": float,
    "stride": float,
    "rrf": float,
    **dict.fromkeys(FIGURES, float),
    **{f"{figure}_{kind}": float for kind in KINDS for figure in ("auroc", "aupro")},
}
"""`auroc_nsa`, ...: on that kind of synthetic defect; without a kind: on the real test images."""


def layer_units(settings: StudySettings) -> Iterator[Unit]:
    """Every layer by every method, for each category, network, image size and seed."""
    for base, extractor in _bases(settings):
        for layer in studied_layers(settings, extractor):
            for seed in settings.seeds:
                yield replace(base, layers=layer.name, seed=seed)


def table_2_units(settings: StudySettings) -> Iterator[Unit]:
    """The same, the customary pair joined in two ways, and our search."""
    yield from layer_units(settings)
    for base, _ in _bases(settings):
        for seed in settings.seeds:
            yield replace(base, layers=PAIR, seed=seed)
            if base.method in OFFICIAL_DIM:
                yield replace(base, layers=PAIR, variant=OFFICIAL, seed=seed)
            yield replace(base, layers=AUTO, seed=seed)


def figure_5_units(settings: StudySettings) -> Iterator[Unit]:
    """Every layer by every method, and its relative receptive field, which is no category's."""
    yield from layer_units(settings)
    for base in bases(settings, [""]):
        measured = replace(base, method=RRF, seed=settings.seeds[0])
        for layer in studied_layers(settings, network_of(settings, measured)):
            yield replace(measured, layers=layer.name)


def _bases(settings: StudySettings) -> Iterator[tuple[Unit, Extractor]]:
    detectors_of(settings, 0)  # what is unknown is said before long work
    for base in bases(settings):
        network = network_of(settings, base)
        for method in settings.detector:
            yield replace(base, method=method), network


def measure_layers(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """The rows of units of one category, network and seed: all learn from D_T, which our search splits once more."""
    if units[0].method == RRF:
        return _of_fields(units, settings)
    product, extractor = product_of(settings, units[0]), network_of(settings, units[0])
    rows: dict[Unit, Row] = {}
    members: dict[Unit, MemberSpec] = {}
    for unit in units:
        try:
            if unit.layers == AUTO:
                good = [product.paths[at] for at in split_good(len(product.paths), unit.seed).train]
                rows[unit] = of_search(unit, settings, product, extractor, good=good)
            else:
                members[unit] = MemberSpec(names_of(extractor, unit.layers), detector_of(unit, settings))
        except FlawsightError as error:
            rows[unit] = {ERROR: str(error)}
    if members:
        rows |= zip(members, _of_layers(list(members.values()), product, extractor, units[0].seed), strict=True)
    return [rows[unit] for unit in units]


def detector_of(unit: Unit, settings: StudySettings) -> Detector:
    """The unit's method, which joins layers as its variant says."""
    detector = clone(detectors_of(settings, unit.seed)[unit.method])
    return detector.set_params(embed_dim=OFFICIAL_DIM[unit.method]) if unit.variant == OFFICIAL else detector


def _of_layers(members: Sequence[MemberSpec], product: Product, extractor: Extractor, seed: int) -> Iterator[Row]:
    """Each learns from D_T, and is measured on D_V with every kind of defect and on the test images (Sec. 3.3)."""
    validation = _validation(product, seed)
    evaluator, synthetic = validation.evaluator(product.side), len(validation.measured)

    def judge(number: int, found: RawPrediction) -> Row:
        own = None if found.scores is None else validation.parted(found.scores[:synthetic])
        maps = evaluator.upsampled(validation.parted(found.maps[:synthetic]))
        kinds = {
            f"{name}_{kind}": getattr(figures, name)
            for kind, figures in evaluator.figures(maps, own).items()
            for name in ("auroc", "aupro")
        }
        real = RawPrediction(found.maps[synthetic:], None if found.scores is None else found.scores[synthetic:])
        return {**_about(extractor, members[number].layers), **product.measured(real), **kinds}

    return fitted_and_asked(extractor, validation.train, [*validation.measured, *product.test], members, judge)


@lru_cache(maxsize=2)
def _validation(product: Product, seed: int) -> ValidationSet:
    return make_validation_set(product.good, KINDS, seed, may_drop=True)


def _about(extractor: Extractor, names: Sequence[str]) -> Row:
    layers = [extractor.layer(name) for name in names]
    about = {"reads": JOIN.join(names), "block": JOIN.join(dict.fromkeys(layer.block for layer in layers))}
    if len(layers) > 1:
        return about
    return {**about, "kind": layers[0].kind, "order": float(layers[0].order), "stride": layers[0].stride}


def _of_fields(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    extractor, count = network_of(settings, units[0]), QUICK_NOISE_IMAGES if settings.quick else NOISE_IMAGES
    names = [unit.layers for unit in units]
    fields = effective_receptive_fields(extractor, None, names, count)
    return [{**_about(extractor, (name,)), "rrf": fields[name].relative} for name in names]


def of_search(unit: Unit, settings: StudySettings, product: Product, extractor: Extractor, **changed: Any) -> Row:
    """Our search and fit on all good images, which it splits itself; measured on the same test images.

    `changed`: options of `fit` beside those that the study says.
    """
    own = detectors_of(settings, unit.seed)[unit.method]
    names = [layer.name for layer in studied_layers(settings, extractor)]
    options = {
        "good": tuple(product.paths),
        "extractor": unit.extractor,
        "weights": weights_of(settings, unit),
        "image_size": unit.image_size,
        "layers": settings.layers if settings.most_layers is None else ",".join(names),
        "detector": own,
        "view": "squash",
        "seed": unit.seed,
        "device": settings.device,
        "pod": False,
        "export": "none",
        **changed,
    }
    inspector = run_fit(FitSettings.of(options), Silent()).inspector
    figures = evaluate(inspector, product.samples, unit.image_size, warn=lambda _: None)
    reads = " ".join(f"{JOIN.join(one.layers)}:{one.calibration.weight:.2f}" for one in inspector.manifest.members)
    return {"reads": reads, "auroc": figures["auroc"], "aupro": figures["aupro_0.30"], "p_h": figures["p_h"]}
