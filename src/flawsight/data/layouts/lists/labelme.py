"""LabelMe: a JSON document with shapes beside each picture on which something is drawn."""

import base64
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data.layouts.lists.annotated import DAMAGE, Picture, read_annotated, read_json
from flawsight.data.listing import is_file, list_images
from flawsight.data.masks.shapes import Outline, Runs, ellipse, rectangle
from flawsight.data.samples import Dataset

HINT = "FOLDER of images, with NAME.json of LabelMe beside each image on which something is drawn"


def recognises(root: Path) -> bool:
    """True if a JSON document of LabelMe lies beside an image of the same name."""
    if not root.is_dir():
        return False
    beside = (path.with_suffix(".json") for path in list_images(root).images)
    first = next((path for path in beside if is_file(path)), None)
    return first is not None and _is_ours(first)


def read(root: Path) -> Dataset:
    """All images: those without a document, or with one in which nothing is drawn, are good; a label is the kind."""
    images = list_images(root).images
    return read_annotated(root, "labelme", [(root, [_picture(root, path) for path in images])])


def _is_ours(path: Path) -> bool:
    try:
        document = read_json(path)
    except FlawsightError:
        return False
    return isinstance(document, dict) and isinstance(document.get("shapes"), list)


def _picture(root: Path, path: Path) -> Picture | FlawsightError:
    name, file = path.relative_to(root).as_posix(), path.with_suffix(".json")
    if not is_file(file):
        return Picture(str(path), name)
    try:
        document = read_json(file)
        drawn = tuple((str(shape["label"]), one) for shape in document["shapes"] for one in _shapes(shape))
        size = (int(document["imageHeight"]), int(document["imageWidth"])) if document.get("imageHeight") else None
        return Picture(str(file), name, size, drawn)
    except DAMAGE as error:
        what = f"{type(error).__name__}: {error}"
        return FlawsightError(f"{file} is no whole LabelMe document ({what}); save it again, or remove it")


def _shapes(shape: dict[str, Any]) -> Iterator[Outline | Runs]:
    kind = shape.get("shape_type") or "polygon"
    points = tuple((float(x), float(y)) for x, y in shape["points"])
    if kind == "rectangle":
        (left, top), (right, bottom) = points if len(points) == 2 else (np.min(points, 0), np.max(points, 0))
        yield rectangle(left, top, right, bottom)
    elif kind == "circle":
        (x, y), (on_x, on_y) = points
        radius = math.hypot(on_x - x, on_y - y)
        yield ellipse(x, y, radius, radius)
    elif kind == "mask":
        stamp = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"]))).convert("L")) > 0
        changes = np.flatnonzero(np.diff(stamp.ravel(), prepend=False, append=False))
        lengths = np.diff(changes, prepend=0).tolist()
        yield Runs(tuple(lengths), stamp.shape, (round(points[0][0]), round(points[0][1])))
    elif kind in ("polygon", "line", "linestrip", "point", "points"):
        yield Outline(points, is_closed=kind == "polygon")
    else:
        raise ValueError(f"the shape {kind!r} is not known")
