"""Are the channels that AFS chooses (Eq. 4 of paper E) good for another method too? Fewer channels of the pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.defects import apply_defects, described_product, make
from flawsight.features import ChannelSelection, Extractor, best_channels
from flawsight.inference import predict
from flawsight.scoring import RawPrediction
from flawsight.settings import StudySettings
from flawsight.studies.layers import PAIR, detectors_of, units_of_methods
from flawsight.studies.papers.a.tables import TITLES, tables_of_figures, with_networks
from flawsight.studies.products import Product, network_of, product_of
from flawsight.studies.study import Row, Unit
from flawsight.studies.tables import Table

ALL, AFS, RANDOM = "all channels", "AFS", "random"
SHARES = ("1/2", "1/4")
VARIANTS = (ALL, *(f"{by} {share}" for share in SHARES for by in (AFS, RANDOM)))
COLUMNS: dict[str, type] = dict.fromkeys(TITLES, float)
KIND, PAIRS = "perlin", 64
"""AFS sees at most so many good images with a defect of this kind, and without."""
AT_ONCE = 2
Maps = list[Tensor]
"""Feature maps (N, C, H, W) of a few images, one for each layer."""


def channel_units(settings: StudySettings) -> Iterator[Unit]:
    """All channels of the customary pair, and a half and a quarter of each layer's, by AFS and at random."""
    return units_of_methods(settings, [{"layers": PAIR, "variant": variant} for variant in VARIANTS])


def measure_channels(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """All from one reading of the network; the defects that AFS sees and the random channels are by the seed."""
    product, network, seed = product_of(settings, units[0]), network_of(settings, units[0]), units[0].seed
    good, test = (_read(network, images) for images in (product.good, product.test))
    widths = [maps.shape[1] for maps in good[0]]
    sees = any(unit.variant.startswith(AFS) for unit in units)
    losses = _losses(network, product, good, widths, seed) if sees else []
    rows: list[Row] = []
    for unit in units:
        channels = None if unit.variant == ALL else channels_of(unit.variant, widths, losses, seed)
        detector = clone(detectors_of(settings, seed)[unit.method])
        detector.fit(_few(good, channels))
        found = [predict(detector, maps) for maps in _few(test, channels)]
        rows.append(product.measured(RawPrediction.joined(found)))
    return rows


def channels_of(variant: str, widths: Sequence[int], losses: Sequence[Tensor], seed: int) -> list[Tensor]:
    """The channels of each layer that a variant keeps, in order; `losses` (C,) of each layer are AFS's."""
    by, share = variant.split()
    counts = [int(width * Fraction(share)) for width in widths]
    if by == AFS:
        return [best_channels(some, count) for some, count in zip(losses, counts, strict=True)]
    rng = np.random.default_rng(seed)
    pairs = zip(widths, counts, strict=True)
    return [torch.from_numpy(np.sort(rng.permutation(width)[:count])) for width, count in pairs]


def _read(network: Extractor, images: Sequence[np.ndarray]) -> list[Maps]:
    batches = network.batches(images, network.default_pair, AT_ONCE)
    return [[one.cpu() for one in maps.values()] for maps in batches]


def _losses(
    network: Extractor, product: Product, good: Sequence[Maps], widths: Sequence[int], seed: int
) -> list[Tensor]:
    """AFS's of each layer's channels, from the first good images with a defect and, in `good`, without."""
    defect = make(KIND, product=described_product(product.good, seed))
    bad, masks = apply_defects(list(product.good)[:PAIRS], defect, kind=KIND, seed=seed)
    truths = torch.from_numpy(np.stack(masks)).split(AT_ONCE)
    triplets = zip(_read(network, bad), good[: len(truths)], truths, strict=True)
    return ChannelSelection(widths).fit(triplets).losses_


def _few(batches: Sequence[Maps], channels: Sequence[Tensor] | None) -> list[Maps]:
    if channels is None:
        return list(batches)
    return [[maps[:, kept] for maps, kept in zip(batch, channels, strict=True)] for batch in batches]


def tables_of_channels(frame: pd.DataFrame) -> list[Table]:
    """Each figure by category and the channels that are read."""
    lines = with_networks(frame).assign(by=frame["variant"])
    return tables_of_figures(lines, "on fewer channels of the pair")
