"""Suspects among the good pictures, as the report shows them: a sheet of pictures with their heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flawsight.core import readable
from flawsight.report.data_uri import data_uri
from flawsight.report.heatmap import ColourScale, overlay
from flawsight.report.inputs import SuspectPicture

SIDE = 200


def shown_suspects(suspects: Sequence[SuspectPicture], scale: ColourScale) -> list[dict[str, Any]]:
    """What the template needs of each suspect, in their order."""
    return [
        {
            "rank": rank,
            "name": readable(one.name),
            "picture": data_uri(one.image, SIDE),
            "heat": data_uri(overlay(one.image, one.anomaly_map, scale), SIDE),
            "expected": _expected(one.expected),
            "is_left_out": one.is_left_out,
        }
        for rank, one in enumerate(suspects, 1)
    ]


def _expected(number: float) -> str:
    """In words that need no exponent."""
    return f"{number:.2f} expected" if number >= 0.01 else "fewer than 0.01 expected"
