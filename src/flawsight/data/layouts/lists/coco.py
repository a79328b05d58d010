"""COCO: one JSON document with images, annotations (polygons, runs or boxes) and categories."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError
from flawsight.data.layouts.lists.annotated import (
    DAMAGE,
    Picture,
    base_of,
    files_in,
    read_annotated,
    read_json,
    split_of,
)
from flawsight.data.masks.shapes import Outline, Runs, rectangle
from flawsight.data.samples import Dataset

HINT = "NAME.json of COCO with images, annotations, categories; or a folder that holds one, with images beside or below"


def recognises(root: Path) -> bool:
    """True for a JSON document with images and annotations."""
    return bool(files_in(root, (".json",), _is_ours))


def read(root: Path) -> Dataset:
    """All images: without an annotation they are good, a category's name is the kind; a file's name is the split."""
    files = files_in(root, (".json",), _is_ours)
    return read_annotated(root, "coco", [(base_of(file), _pictures(file)) for file in files])


def _is_ours(path: Path) -> bool:
    try:
        document = read_json(path)
    except FlawsightError:
        return False
    return isinstance(document, dict) and all(isinstance(document.get(key), list) for key in ("images", "annotations"))


def _pictures(path: Path) -> Iterator[Picture]:
    document = read_json(path)
    try:
        categories = {one["id"]: str(one["name"]) for one in document.get("categories", [])}
        by_image: dict[Any, list[dict]] = defaultdict(list)
        for one in document["annotations"]:
            by_image[one["image_id"]].append(one)
        images = {image["id"]: image for image in document["images"]}
        strangers = [one.get("id") for image, some in by_image.items() if image not in images for one in some]
        if strangers:
            raise LookupError(f"annotations {strangers[:5]} belong to no image")
        for number, image in images.items():
            drawn = [
                (categories.get(one.get("category_id"), "defect"), shape)
                for one in by_image[number]
                for shape in _shapes(one)
            ]
            size = (int(image["height"]), int(image["width"])) if image.get("height") and image.get("width") else None
            yield Picture(f"{path}, image {number}", image["file_name"], size, tuple(drawn), split=split_of(path))
    except DAMAGE as error:
        raise FlawsightError(
            f"{path} is no whole COCO document ({type(error).__name__}: {error}); export it again"
        ) from error


def _shapes(annotation: dict[str, Any]) -> Iterator[Outline | Runs]:
    """Polygons, runs, or where there is neither the box."""
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        counts, (height, width) = segmentation["counts"], segmentation["size"]
        lengths = _uncompressed(counts) if isinstance(counts, str) else counts
        yield Runs(tuple(map(int, lengths)), (int(height), int(width)), along_columns=True)
    elif segmentation:
        for flat in segmentation:
            yield Outline(tuple((float(x), float(y)) for x, y in zip(flat[::2], flat[1::2], strict=True)))
    else:
        left, top, width, height = annotation["bbox"]
        yield rectangle(left, top, left + width, top + height)


def _uncompressed(text: str) -> list[int]:
    """COCO's runs as text: 5 bits a character, from the fourth number on the difference to the last but one."""
    lengths: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - 48
        number |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            number |= -1 << shift
        lengths.append(number + (lengths[-2] if len(lengths) > 2 else 0))
        number = shift = 0
    return lengths
