"""The regions of a whole run as one COCO document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flawsight.regions.region import NAME, Region

_CATEGORY = 1


def coco_document(
    pictures: Iterable[tuple[str, tuple[int, int], Sequence[Region]]], info: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The detections of all pictures, each a file's name, its size (H, W) and its regions, in COCO's object format.

    Identifiers count from 1 in the order given; the only category is "defect". Besides COCO's own fields an annotation
    has `score` (the region's peak), `centroid` and `area_mm2`. `area` does not count holes, which `segmentation` fills.
    `info` goes into the document as it is.

    >>> regions = find_regions(np.eye(8), threshold=0.5, size=(64, 80))
    >>> document = coco_document([("a.png", (64, 80), regions), ("b.png", (64, 80), [])])
    >>> len(document["images"]), [one["bbox"] for one in document["annotations"]]
    (2, [[0, 0, 80, 64]])
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, (height, width), regions) in enumerate(pictures, 1):
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for region in regions:
            annotations.append(_annotation(region, len(annotations) + 1, number))
    return {
        "info": {"description": "Regions above the pixel threshold, found by Flawsight", **(info or {})},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": _CATEGORY, "name": NAME, "supercategory": ""}],
    }


def _annotation(region: Region, number: int, image: int) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": _CATEGORY,
        "bbox": list(region.box),
        "segmentation": [[coordinate for point in region.contour for coordinate in point]],
        "area": region.area_px,
        "iscrowd": 0,
        "score": region.peak,
        "centroid": list(region.centroid),
        "area_mm2": region.area_mm2,
    }
