"""What the default search saves against an exhaustive one, and what that costs in accuracy on real defects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._exam import CATEGORIES, SIDE, draw_test
from benchmarks._inputs import good_paths
from benchmarks._measure import OURS_OVER_PEER, Row, Run
from flawsight.data import Dataset, open_dataset
from flawsight.inspection import evaluate
from flawsight.pipeline import run_fit
from flawsight.settings import FitSettings

PEER = "flawsight exhaustive search"
STAGE = "choosing layers"
SEARCHES = ("auto", "exhaustive")


def run(run: Run) -> Iterator[Row]:
    """A row for each category, as soon as it is done, then the means over the categories."""
    assert run.data is not None
    rows = []
    for category in run.size(CATEGORIES, CATEGORIES[2:4]):
        row = run.found("racing", f"{category}: time of the search", PEER)
        rows.append(row or race(run, run.data / category))
        yield rows[-1]
    yield from means(run, rows)


def race(run: Run, folder: Path) -> Row:
    most_good, most_test, options = run.size((140, 240, {}), (12, 24, {"image_size": 96, "layers": "blocks.*.add"}))
    paths = good_paths(folder, most_good, run.seed)
    test = draw_test(open_dataset(folder), most_test)
    found = {search: attempt(paths, test, search=search, seed=run.seed, **options) for search in SEARCHES}
    auto, full = (found[search] for search in SEARCHES)
    loss = 100 * (full["p_h"] - auto["p_h"])
    shared = len(set(auto["layers"]) & set(full["layers"]))
    note = (
        f"P_h {100 * auto['p_h']:.1f} against {100 * full['p_h']:.1f}; {shared} of {len(full['layers'])} layers agree"
    )
    return run.row(
        "racing",
        f"{folder.name}: time of the search",
        (auto["seconds"], full["seconds"]),
        "s",
        PEER,
        note=note,
        settings={"good": len(paths), "test": len(test), **options},
        details={**found, "p_h_loss": loss, "same_layers": set(auto["layers"]) == set(full["layers"])},
    )


def attempt(paths: list[Path], test: Dataset, **options: Any) -> dict[str, Any]:
    """Seconds of the search alone, and the harmonic mean of image AU-ROC and AU-PRO on the real test images."""
    done = run_fit(FitSettings.of({"good": paths, "out": None, "device": "cpu", **options}))
    inspector = done.inspector
    return {
        "seconds": done.record.timings[STAGE],
        "p_h": evaluate(inspector, test, SIDE)["p_h"],
        "layers": [name for names in inspector.layers for name in names],
        "weights": [member.calibration.weight for member in inspector.manifest.members],
    }


def means(run: Run, rows: list[Row]) -> Iterator[Row]:
    ratios = np.array([row.peer_figure / row.ours for row in rows])
    auto, full = (float(np.mean([row.details[search]["p_h"] for row in rows])) for search in SEARCHES)
    losses = [row.details["p_h_loss"] for row in rows]
    same = sum(row.details["same_layers"] for row in rows)
    seconds = float(np.mean([row.ours for row in rows])), float(np.mean([row.peer_figure for row in rows]))
    settings = {"categories": [row.what.split(":")[0] for row in rows]}
    note = f"mean of the categories' ratios {ratios.mean():.2f}; all layers agree in {same} of {len(rows)} categories"
    yield run.row("racing", "mean time of the search", seconds, "s", PEER, note=note, settings=settings)
    note = f"loss of P_h: mean {np.mean(losses):.2f} points, largest {max(losses):.2f}"
    yield run.row("racing", "mean P_h", (auto, full), "", PEER, OURS_OVER_PEER, note=note, settings=settings)
