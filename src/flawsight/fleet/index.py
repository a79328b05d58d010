"""The page about all products."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flawsight.core import readable, write_whole
from flawsight.fleet.row import SUMMARY, ProductRow
from flawsight.report.pages import render, without_folders

PAGE = "index.html"
WEAK = 0.7
"""Below this P_h on artificial defects, the mean over their kinds, a product deserves a look."""
MOST_PICTURES = 1000
"""Of more products the page shows no pictures: it would be slow to open."""


def write_index(out: Path, rows: Sequence[ProductRow], products: int) -> Path:
    """Write index.html about these rows, of so many products in all."""
    fitted = [row for row in rows if row.is_fitted]
    page = render(
        "index.html.jinja",
        title=readable(out.resolve().name),
        rows=rows,
        fitted=fitted,
        failed=[row for row in rows if not row.is_fitted],
        weak={row.name for row in fitted if row.p_h is not None and row.p_h < WEAK},
        products=products,
        has_pictures=len(rows) <= MOST_PICTURES,
        summary=SUMMARY,
        told=without_folders,
    )
    return write_whole(out / PAGE, page)
