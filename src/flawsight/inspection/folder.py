"""What `inspect` leaves in its folder: results.csv, regions.json and a heat map for each image."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flawsight.core import (
    FlawsightError,
    Progress,
    default_progress,
    readable_document,
    writable_folder,
    write_whole,
    written_whole,
)
from flawsight.data import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    Skipped,
    left_out,
    list_images,
)
from flawsight.data.listing import OWN, is_folder
from flawsight.data.own_output import is_own_output, mark_output, marked_png
from flawsight.inspection.inspector import Inspector, Result
from flawsight.inspection.names import heatmap_paths, refuse_overwriting
from flawsight.inspection.onlooker import Onlooker
from flawsight.regions import Region, coco_document
from flawsight.report import overlay
from flawsight.scoring import ColourScale

RESULTS, REGIONS, HEATMAPS = "results.csv", "regions.json", "heatmaps"
COLUMNS = ("path", "score", "p_value", "verdict", "reason", "regions")


@dataclass(frozen=True)
class ResultRow:
    """One row of results.csv; `verdict` is `good`, `defective` or `error`, and an error has a reason.

    `regions` say where in an image of `size` (H, W); the table counts them.

    >>> rows = inspect_to_folder(inspector, [dataset / "test" / "spot"], tmp)
    >>> [row.verdict for row in rows], len(rows[0].regions)
    (['defective', 'defective', 'defective'], 1)
    """

    path: str
    score: float | None
    p_value: float | None
    verdict: str
    reason: str = ""
    regions: tuple[Region, ...] = ()
    size: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**vars(self), "regions": [region.to_dict() for region in self.regions]}


class ResultRows(list[ResultRow]):
    """The rows of results.csv, and as `skipped` whatever lies in the folders and was not inspected.

    >>> (tmp / "scan.xyz").touch()
    >>> _ = (tmp / "a.png").write_bytes((good / "000.png").read_bytes())
    >>> rows = fs.inspect_to_folder(inspector, [tmp], tmp / "results")
    >>> [row.verdict for row in rows], [one.reason for one in rows.skipped]
    (['good'], ['.xyz is not read'])
    """

    skipped: tuple[Skipped, ...] = ()


def inspect_to_folder(
    inspector: Inspector,
    inputs: Sequence[Path],
    out: Path,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> ResultRows:
    """Inspect images and folders of images; write results.csv, regions.json (COCO) and heatmaps/.

    An unreadable image gets an error row. So does one that is not as the good ones. `warn` is told where all together
    differ from those learned. What an inspection wrote, here or elsewhere, is never inspected. The table appears when
    all is done: where that fails, neither it nor a heat map of this inspection is left.

    >>> rows = inspect_to_folder(inspector, [dataset / "test" / "spot"], tmp / "results")
    >>> len(rows), sorted(path.name for path in (tmp / "results").glob("[!.]*"))
    (3, ['heatmaps', 'regions.json', 'results.csv'])
    """
    paths, skipped = _expand(inputs, out)
    mark_output(writable_folder(out), HEATMAPS)
    pictures = heatmap_paths(paths, writable_folder(out / HEATMAPS))
    refuse_overwriting(pictures)
    for path in (out / RESULTS, out / REGIONS):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise FlawsightError(f"cannot write '{path}' ({error.strerror}): is it open elsewhere?") from error
    rows = ResultRows()
    rows.skipped = tuple(skipped)
    onlooker = Onlooker(inspector)
    with ExitStack() as undo, (progress or default_progress()).stage("Inspecting", len(paths)) as advance:
        at_once = inspector.at_once
        for start in range(0, len(paths), at_once):
            chunk = paths[start : start + at_once]
            for path in chunk:
                undo.callback(_remove, pictures[path])
            rows += _inspected(inspector, chunk, pictures, max_pixels, onlooker)
            advance(len(chunk))
        undo.callback(_remove, out / REGIONS)
        _write_regions(out / REGIONS, rows)
        _write_table(out / RESULTS, rows)
        undo.pop_all()  # all is there: nothing to undo
    onlooker.tell(warn)
    return rows


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _write_table(path: Path, rows: Sequence[ResultRow]) -> None:
    with written_whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in rows:
            values = {name: getattr(row, name) for name in COLUMNS}
            counted = "" if row.verdict == "error" else len(row.regions)
            writer.writerow(readable_document(values | {"regions": counted}))


def _write_regions(path: Path, rows: Sequence[ResultRow]) -> None:
    """Of every image that was inspected, in COCO's format."""
    found = coco_document((row.path, row.size, row.regions) for row in rows if row.size is not None)
    write_whole(path, json.dumps(readable_document(found)) + "\n")


def _expand(inputs: Sequence[Path], out: Path) -> tuple[list[Path], list[Skipped]]:
    """Every image named or in a named folder, once, in order; and what was left out."""
    paths: list[Path] = []
    skipped: list[Skipped] = []
    for given in map(Path, inputs):
        if is_own_output(given) or is_own_output(given.parent):
            skipped.append(Skipped(given, OWN))
        elif is_folder(given):
            listing = list_images(given, leave_out=[out])
            paths += listing.images
            skipped += listing.skipped
            # As `pictures/*` names the results of last time along with the pictures.
            if not listing.images and not any(one.reason == OWN for one in listing.skipped):
                raise FlawsightError(_nothing_in(given, listing.skipped))
        else:
            paths.append(given)
    if not paths:
        raise FlawsightError(_nothing_in(inputs[0], skipped) if inputs else "no image was named")
    return list(dict.fromkeys(paths)), list(dict.fromkeys(skipped))


def _nothing_in(folder: Path, skipped: Sequence[Skipped]) -> str:
    reasons = "; ".join([f"accepted suffixes are {', '.join(IMAGE_SUFFIXES)}", *left_out(skipped)])
    return f"no image in {folder} or below it: {reasons}"


def _inspected(
    inspector: Inspector, chunk: Sequence[Path], pictures: Mapping[Path, Path], max_pixels: int, onlooker: Onlooker
) -> list[ResultRow]:
    """A row for each of these images, their heat maps written."""
    decoded = [_decode(path, max_pixels, inspector) for path in chunk]
    images = [image for image in decoded if isinstance(image, np.ndarray)]
    onlooker.see(images)
    results = inspector.inspect_many(images) if images else iter(())
    rows = []
    for path, image in zip(chunk, decoded, strict=True):
        if isinstance(image, np.ndarray):
            rows.append(_found(path, image, next(results), pictures[path], inspector.manifest.colour_scale))
        else:
            rows.append(ResultRow(str(path), None, None, "error", image))
    return rows


def _decode(path: Path, max_pixels: int, inspector: Inspector) -> np.ndarray | str:
    """The image, or what is wrong with it."""
    try:
        return inspector.read(path, max_pixels)
    except FlawsightError as error:
        return str(error)
    except OSError as error:  # a name that the system cannot take
        return f"cannot read {path}: {error.strerror}; check the path"


def _found(path: Path, image: np.ndarray, result: Result, picture: Path, scale: ColourScale) -> ResultRow:
    drawn = cv2.cvtColor(overlay(image, result.anomaly_map, scale), cv2.COLOR_RGB2BGR)
    # Encoded first: OpenCV crashes on names that are no UTF-8.
    write_whole(picture, marked_png(cv2.imencode(".png", drawn)[1].tobytes()))
    size = (image.shape[0], image.shape[1])
    return ResultRow(str(path), result.score, result.p_value, result.verdict, "", result.regions, size)
