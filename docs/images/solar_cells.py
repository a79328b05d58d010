"""Draw solar-cells.png from what `flawsight demo --out DIR` wrote: python docs/images/solar_cells.py DIR."""

import csv
import sys
from pathlib import Path

import cv2
import numpy as np

SHOWN = 5
SIDE = 220


def main(demo: Path) -> None:
    """Defective cells that were found, and one good cell, above their heat maps."""
    with (demo / "results" / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [row for row in rows if row["verdict"] == "defective"][:SHOWN]
    good = [row for row in rows if row["verdict"] == "good"][:1]
    columns = []
    for row in [*found, *good]:
        path = Path(row["path"])
        pictures = [cv2.imread(str(path)), cv2.imread(str(demo / "results" / "heatmaps" / f"{path.stem}.png"))]
        columns.append(np.vstack([cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in pictures]))
    cv2.imwrite(str(Path(__file__).with_name("solar-cells.png")), np.hstack(columns), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
