"""The rows of paper E: a RealNet that learns from all good images and one source of anomalies, on real defects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from filelock import FileLock

from flawsight.core import INPUT, JOIN, FlawsightError, Silent, safe_name, writable_folder
from flawsight.data import learn_pixel_format
from flawsight.detectors import RealNet, make_detectors
from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.pipeline.defect_sources import DefectRecipe, anomaly_synthesis, defect_sources
from flawsight.scoring import RawPrediction
from flawsight.settings import DefectSettings, StudySettings
from flawsight.studies.papers.e.units import REALNET, SDAS, STRENGTHS, TEXTURES, USUAL_STRENGTH, VARIANTS
from flawsight.studies.products import Product, network_of, product_of
from flawsight.studies.study import Row, Unit

FIGURES = ("auroc", "pixel_auroc", "aupro", "p_h")
COLUMNS: dict[str, type] = {**dict.fromkeys(FIGURES, float), "generator": float}
"""`generator`: how far its pictures are from good images, as `GeneratorCard.quality` says; 1 is best."""
GENERATORS = "generators"


def measure_realnet(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """A training each."""
    return [_row(unit, settings) for unit in units]


def _row(unit: Unit, settings: StudySettings) -> Row:
    if not unit.layers:
        raise FlawsightError(
            f"RealNet reads the ends of stages from stride 4 on, and the network '{unit.extractor}' has none among "
            f"--layers {settings.layers}: name others, or another network"
        )
    product, network = product_of(settings, unit), network_of(settings, unit)
    layers = unit.layers.split(JOIN)
    detector = cast(RealNet, make_detectors(REALNET, settings.parameter, unit.seed)[REALNET])
    detector.set_params(**VARIANTS.get(unit.variant, {}))
    options = _defect_settings(unit, settings)
    recipe, quality = _recipe(unit, settings, product, options)
    detector.attach(anomaly_synthesis(network, layers, product.good, recipe, options))
    member = MemberSpec((INPUT, *layers), detector)
    fit_detectors(network, product.good, [member])
    (found,) = predict_raw(network, product.test, [member])
    # The paper's score is the maximum of the map as it is (Sec. 3.3), not of the smoothed one.
    scores = found.maps.max(axis=(1, 2)) if found.scores is None else found.scores
    return {**product.measured(RawPrediction(found.maps, scores), pixel_auroc=True), "generator": quality}


def _defect_settings(unit: Unit, settings: StudySettings) -> DefectSettings:
    given = {
        "seed": unit.seed,
        "device": settings.device,
        "strength": STRENGTHS.get(unit.variant, USUAL_STRENGTH),
        "textures": settings.textures if unit.defects == TEXTURES else None,
        "generator_preset": settings.generator_preset,
        "generator_steps": settings.generator_steps,
    }
    return DefectSettings.of(given)


def _recipe(
    unit: Unit, settings: StudySettings, product: Product, options: DefectSettings
) -> tuple[DefectRecipe, float | None]:
    """What defects are made of, and how good the generator is where there is one.

    It learns from the same good images. Whoever comes first trains it, and others wait.
    """
    pixels = learn_pixel_format(product.paths)
    if unit.defects != SDAS:
        kind = "perlin" if unit.defects == TEXTURES else unit.defects
        return defect_sources(options, (kind,), product.paths, pixels, Silent()), None
    from flawsight.generation import read_card  # diffusers is slow to load

    folder = generator_folder(settings, unit)
    with FileLock(writable_folder(folder.parent) / f".{folder.name}.lock"):
        recipe = defect_sources(options, (SDAS,), product.paths, pixels, Silent(), generator=folder)
        return recipe, read_card(folder).quality


def generator_folder(settings: StudySettings, unit: Unit) -> Path:
    """Where a unit's generator is kept: one for each category and seed."""
    assert settings.out is not None
    return settings.out / GENERATORS / safe_name(unit.category) / f"seed-{unit.seed}"
