"""Paper D's figures: spread of features, noise, neighbourhood, and loss."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from flawsight.studies.figures import Point, scatter
from flawsight.studies.papers.d.measure import FIGURES, STEPS, numbers
from flawsight.studies.papers.d.tables import ADAPTORS, prepared
from flawsight.studies.tables import MADE

LOCAL = {"spread": "local features", "adapted_spread": "adapted features"}
POINTS = 40
"""Epochs that are drawn, about."""
Panels = dict[str, dict[str, list[Point]]]


def _measured(frame: pd.DataFrame) -> pd.DataFrame:
    return prepared(frame[frame["status"] == MADE])


def spread_of_features(frame: pd.DataFrame) -> str:
    """Figure 4: which share of the dimensions varies at most so much, in units of the middle dimension's."""
    panels: Panels = {}
    for (network, category), part in _measured(frame).groupby(["network", "category"], sort=False):
        series = panels.setdefault(f"{category}, {network}", {})
        for column, name in LOCAL.items():
            found = np.mean([numbers(text) for text in part[column]], axis=0)
            middle = found[len(found) // 2] or 1.0
            series[name] = [
                (float(value / middle), float(share), math.nan, f"at most {value / middle:.2f}")
                for value, share in zip(found, STEPS, strict=True)
            ]
    across = "standard deviation of a dimension, in units of the median"
    return scatter(panels, across, "dimensions below", "Spread of the dimensions of local and of adapted features")


def over_noise(frame: pd.DataFrame) -> str:
    """Figure 5: a panel for each figure, a series for each category."""
    return _over(frame, "noise", "standard deviation of the noise", "Figures over the noise")


def over_neighbourhood(frame: pd.DataFrame) -> str:
    """Figure 6: likewise."""
    return _over(frame, "neighbourhood", "side of the averaged window, positions", "Figures over the neighbourhood")


def _over(frame: pd.DataFrame, column: str, across: str, label: str) -> str:
    panels: Panels = {}
    lines = _measured(frame)
    several = lines["network"].nunique() > 1
    for figure, title in FIGURES.items():
        known = lines[lines[figure].notna()]
        for (network, category, _), part in known.groupby(["network", "category", column], sort=True):
            name = f"{category}, {network}" if several else str(category)
            at = float(part[column].iloc[0])
            point = (at, float(part[figure].mean()), float(part[figure].std()), f"{at:g}")
            panels.setdefault(title, {}).setdefault(name, []).append(point)
    return scatter(panels, across, "mean over seeds", label)


def loss_over_epochs(frame: pd.DataFrame) -> str:
    """Figure 7: the loss as a share of the first epoch's, mean and standard deviation over categories and seeds."""
    panels: Panels = {}
    for (network, variant), part in _measured(frame).groupby(["network", "variant"], sort=False):
        found = [numbers(text) for text in part["losses"]]
        length = min(map(len, found))
        shares = np.array([own[:length] / own[0] for own in found])
        deviations = shares.std(0, ddof=1) if len(shares) > 1 else np.full(length, math.nan)
        panels.setdefault(str(network), {})[ADAPTORS[str(variant)]] = [
            (epoch + 1.0, float(shares[:, epoch].mean()), float(deviations[epoch]), f"epoch {epoch + 1}")
            for epoch in range(0, length, max(1, length // POINTS))
        ]
    return scatter(panels, "epoch", "loss, of the first epoch's", "Loss during training")
