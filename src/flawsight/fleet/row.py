"""What is said of a product: a row of the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from flawsight.core import write_whole

SUMMARY = "summary.csv"


@dataclass(frozen=True)
class ProductRow:
    """What came of a product.

    `p_h` is on artificial defects, the mean over their kinds. Of the `made` ones of known size `found` were stopped;
    `smallest` (pixels) is the side of a square as large as those from which on nine in ten are. None where nothing was
    measured, or that is not reached. `peak_mib` is the most memory its worker had taken by then. `picture` is a good
    one, small, as an address for a page.

    >>> ProductRow("cap", "failed", error="no picture").is_fitted
    False
    """

    name: str
    status: Literal["fitted", "unchanged", "failed"]
    images: int | None = None
    p_h: float | None = None
    smallest: float | None = None
    found: int | None = None
    made: int | None = None
    threshold: float | None = None
    false_alarm_rate: float | None = None
    layers: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    peak_mib: float | None = None
    error: str = ""
    picture: str = ""

    @property
    def is_fitted(self) -> bool:
        """Whether there is a bundle."""
        return self.status != "failed"

    @classmethod
    def of(cls, stored: dict[str, Any]) -> ProductRow:
        """A row from its JSON form."""
        return cls(**{**stored, "warnings": tuple(stored["warnings"])})


def write_summary(out: Path, rows: Sequence[ProductRow]) -> Path:
    """Write summary.csv: a line for each product."""
    text = io.StringIO()
    names = [field.name for field in fields(ProductRow) if field.name != "picture"]
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(row), "warnings": "; ".join(row.warnings)} for row in rows)
    return write_whole(out / SUMMARY, text.getvalue())
