"""The rows of paper D: detection and localisation, and what SimpleNet's training looked like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from flawsight.core import JOIN, FlawsightError, spread
from flawsight.detectors import SimpleNet
from flawsight.detectors.bases.descriptors import patch_descriptors
from flawsight.features import Extractor
from flawsight.inference import MemberSpec
from flawsight.scoring import RawPrediction
from flawsight.settings import StudySettings
from flawsight.studies.layers import fitted_and_asked
from flawsight.studies.papers.d.units import detector_of, read_layers
from flawsight.studies.products import Product, network_of, product_of
from flawsight.studies.rows import ERROR
from flawsight.studies.study import Row, Unit

FIGURES = {"auroc": "AU-ROC", "pixel_auroc": "pixel AU-ROC", "aupro": "AU-PRO"}
COLUMNS: dict[str, type] = {
    "reads": str,
    **dict.fromkeys((*FIGURES, "p_h", "noise", "neighbourhood"), float),
    **dict.fromkeys(("losses", "spread", "adapted_spread"), str),
}
"""`losses`: the mean of each epoch. `spread`: the standard deviations of the descriptors' values over the positions of
some good images, their quantiles in steps of 5 %; `adapted_spread`: after the adaptor."""
STEPS = np.linspace(0, 1, 21)
LOOKED_AT = 8
"""Good images whose descriptors are looked at."""


def measure(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """The rows of units of one category, network and seed, all learned from all good images."""
    product, network = product_of(settings, units[0]), network_of(settings, units[0])
    rows: dict[Unit, Row] = {}
    members: dict[Unit, MemberSpec] = {}
    for unit in units:
        try:
            members[unit] = MemberSpec(read_layers(network, unit.layers), detector_of(settings, unit))
        except FlawsightError as error:
            rows[unit] = {ERROR: str(error)}
    if members:
        rows |= zip(members, measured(product, network, list(members.values())), strict=True)
    return [rows[unit] for unit in units]


def measured(product: Product, network: Extractor, members: Sequence[MemberSpec]) -> list[Row]:
    """A row for each member, fitted here."""

    def judge(number: int, found: RawPrediction) -> Row:
        if members[number].detector.tags.localizes:
            return product.measured(found, pixel_auroc=True)
        return {"auroc": product.measured(found)["auroc"]}

    rows = fitted_and_asked(network, product.good, product.test, members, judge)
    return [
        {**row, "reads": JOIN.join(member.layers), **about_training(product, network, member)}
        for row, member in zip(list(rows), members, strict=True)
    ]


def about_training(product: Product, network: Extractor, member: MemberSpec) -> Row:
    """Noise, neighbourhood, losses and the descriptors' spread before and after the adaptor, of a fitted SimpleNet."""
    detector = member.detector
    if not isinstance(detector, SimpleNet):
        return {}
    chosen = spread(len(product.good), LOOKED_AT)
    maps = network.extract([product.good[number] for number in chosen], member.layers)
    features = [maps[name] for name in member.layers]
    descriptors = patch_descriptors(features, detector.neighbourhood, detector.embed_dim, detector.max_grid)
    with torch.no_grad():
        local = descriptors.flatten(0, 2)
        adapted = detector.network_.adaptor(local)
    return {
        "noise": float(detector.noise),
        "neighbourhood": float(detector.neighbourhood),
        "losses": _listed(detector.losses_.numpy()),
        "spread": _listed(np.quantile(local.std(0).cpu().numpy(), STEPS)),
        "adapted_spread": _listed(np.quantile(adapted.std(0).cpu().numpy(), STEPS)),
    }


def _listed(values: np.ndarray) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def numbers(text: str) -> np.ndarray:
    """The inverse: the numbers of a text of a row, none of an empty one."""
    return np.array([float(one) for one in str(text).split()])
