"""What `inspect` leaves in its folder: results.csv and a heat map for each image."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from flawsight.core import FlawsightError, Progress, default_progress, writable_folder
from flawsight.data import MAX_PIXELS, PixelFormat, find_images, read_image
from flawsight.inspection.inspector import CHUNK, Inspector, Result
from flawsight.inspection.onlooker import Onlooker
from flawsight.report import overlay
from flawsight.scoring import ColourScale


@dataclass(frozen=True)
class ResultRow:
    """One row of results.csv; `verdict` is `good`, `defective` or `error`, and an error has a reason.

    >>> rows = inspect_to_folder(inspector, [dataset / "test" / "spot"], tmp)
    >>> [row.verdict for row in rows]
    ['defective', 'defective', 'defective']
    """

    path: str
    score: float | None
    p_value: float | None
    verdict: str
    reason: str = ""


def inspect_to_folder(
    inspector: Inspector,
    inputs: Sequence[Path],
    out: Path,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> list[ResultRow]:
    """Inspect images and folders of images; write results.csv and heatmaps/. An unreadable image gets an error row.

    So does one that is not as the good ones. `warn` is told where all together differ from those learned.

    >>> rows = inspect_to_folder(inspector, [dataset / "test" / "spot"], tmp / "results")
    >>> len(rows), sorted(path.name for path in (tmp / "results").iterdir())
    (3, ['heatmaps', 'results.csv'])
    """
    paths = _expand(inputs)
    writable_folder(out)
    pictures = _heatmap_paths(paths, writable_folder(out / "heatmaps"))
    scale, pixels = inspector.manifest.colour_scale, inspector.manifest.data.pixels
    rows: list[ResultRow] = []
    onlooker = Onlooker(inspector)
    with (
        (out / "results.csv").open("w", newline="", encoding="utf-8") as file,
        (progress or default_progress()).stage("Inspecting", len(paths)) as advance,
    ):
        writer = csv.DictWriter(file, [field.name for field in fields(ResultRow)])
        writer.writeheader()
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            decoded = [_decode(path, max_pixels, pixels) for path in chunk]
            images = [image for image in decoded if isinstance(image, np.ndarray)]
            onlooker.see(images)
            results = inspector.inspect_many(images) if images else iter(())
            for path, image in zip(chunk, decoded, strict=True):
                if isinstance(image, np.ndarray):
                    row = _found(path, image, next(results), pictures[path], scale)
                else:
                    row = ResultRow(str(path), None, None, "error", image)
                rows.append(row)
                writer.writerow(asdict(row))
            file.flush()
            advance(len(chunk))
    onlooker.tell(warn)
    return rows


def _expand(inputs: Sequence[Path]) -> list[Path]:
    """Every image named or in a named folder, once, in order."""
    paths: list[Path] = []
    for given in inputs:
        paths += find_images(given, recursive=True) if given.is_dir() else [given]
    return list(dict.fromkeys(paths))


def _decode(path: Path, max_pixels: int, pixels: PixelFormat | None) -> np.ndarray | str:
    try:
        return read_image(path, max_pixels, pixels)
    except FlawsightError as error:
        return str(error)


def _found(path: Path, image: np.ndarray, result: Result, picture: Path, scale: ColourScale) -> ResultRow:
    drawn = cv2.cvtColor(overlay(image, result.anomaly_map, scale), cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(picture), drawn):
        raise FlawsightError(f"cannot write the heat map '{picture}': is the disk full, or the name too long?")
    return ResultRow(str(path), result.score, result.p_value, result.verdict)


def _heatmap_paths(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """A picture's name for each image: its stem, led by as many of its folders as it takes to tell all apart."""
    trails = [path.with_suffix("").relative_to(path.anchor).parts for path in paths]
    for depth in range(1, max(map(len, trails), default=1) + 1):
        names = ["_".join(trail[-depth:]) for trail in trails]
        if len(set(names)) == len(names):
            return {path: folder / f"{name}.png" for path, name in zip(paths, names, strict=True)}
    # The same stem with two suffixes in one folder: number them.
    return {path: folder / f"{path.stem}_{number}.png" for number, path in enumerate(paths)}
