"""demo: real solar cells, from good pictures to honest figures, without a network."""

from __future__ import annotations

import csv
import importlib.util
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import FlawsightError, writable_folder, write_whole, written_whole
from flawsight.data import open_dataset
from flawsight.inspection import evaluate, inspect_to_folder
from flawsight.pipeline import run_fit
from flawsight.settings import FitSettings

SEED = 0
GOOD_TO_LEARN = 120
HELD_OUT_EACH = 40
CELL_TYPE = "mono"


def run_demo(out: Path) -> dict[str, Any]:
    """Learn from good monocrystalline cells, inspect held-out good and defective ones, and write all of it to `out`.

    The images are those of the PyPI package elpv-dataset (electroluminescence of solar cells, CC BY-NC-SA 4.0); the
    choice of images is by seed. Returns the figures, and under "text" the lines to print.
    """
    start = time.perf_counter()
    writable_folder(out)
    learn, good, defective = _cells()
    cells = _manifest(out / "cells.csv", good, defective)
    settings = FitSettings.of({"good": tuple(learn), "out": out / "bundle", "seed": SEED, "overwrite": True})
    result = run_fit(settings)
    inspector = result.inspector
    inspect_to_folder(inspector, [*good, *defective], out / "results")
    figures = evaluate(inspector, open_dataset(cells))
    write_whole(out / "metrics.json", json.dumps(figures, indent=2) + "\n")
    seconds = time.perf_counter() - start
    point = inspector.manifest.operating_point
    return {
        "images": {"learned_from": len(learn), "good_held_out": len(good), "defective": len(defective)},
        "layers": [list(layers) for layers in inspector.layers],
        "auroc": figures["auroc"],
        "false_alarm_rate": figures["false_alarm_rate"],
        "stated_false_alarm_rate": point.rate,
        "detection_rate": figures["detection_rate"],
        "seconds": seconds,
        "report": str(out / "bundle" / "report.html"),
        "heatmaps": str(out / "results" / "heatmaps"),
        "text": [
            f"Learned from {len(learn)} good solar cells ({CELL_TYPE}crystalline, ELPV data set, seed {SEED}).",
            f"It chose to read: {', '.join('+'.join(layers) for layers in inspector.layers)}",
            f"Then it saw {len(good)} good and {len(defective)} defective cells for the first time:",
            f"  image AU-ROC {figures['auroc']:.3f}",
            f"  defective cells stopped: {figures['detection_rate']:.0%}",
            f"  good cells stopped:      {figures['false_alarm_rate']:.0%} (stated: at most {point.rate:.1%})",
            f"Took {seconds:.0f} s.",
            f"Report:    {out / 'bundle' / 'report.html'}",
            f"Heat maps: {out / 'results' / 'heatmaps'}",
        ],
    }


def _cells() -> tuple[list[Path], list[Path], list[Path]]:
    """Paths of good cells to learn from, held-out good ones, and surely defective ones."""
    found = importlib.util.find_spec("elpv_dataset")
    if found is None or not found.submodule_search_locations:
        raise FlawsightError("the demo's pictures come with a package: pip install 'flawsight[demo]'")
    folder = Path(found.submodule_search_locations[0]) / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text(encoding="utf-8").splitlines() if line.strip()]
    chosen = [(folder / name, float(probability)) for name, probability, kind in rows if kind == CELL_TYPE]
    rng = np.random.default_rng(SEED)
    good = [path for path, probability in chosen if probability == 0]
    defective = [path for path, probability in chosen if probability == 1]
    good = [good[i] for i in rng.permutation(len(good))[: GOOD_TO_LEARN + HELD_OUT_EACH]]
    defective = [defective[i] for i in rng.permutation(len(defective))[:HELD_OUT_EACH]]
    return good[:GOOD_TO_LEARN], good[GOOD_TO_LEARN:], defective


def _manifest(path: Path, good: list[Path], defective: list[Path]) -> Path:
    """A manifest of the held-out cells: it shows how one's own labelled images can be listed."""
    with written_whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label"))
        writer.writerows([*((p, "good") for p in good), *((p, "defective") for p in defective)])
    return path
