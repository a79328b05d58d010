"""The regions of one picture as other programs take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.regions.region import NAME, Region

if TYPE_CHECKING:
    import supervision

_LABELME = "5.5.0"
"""The version of LabelMe whose format is written."""


def to_supervision(regions: Sequence[Region], size: tuple[int, int]) -> supervision.Detections:
    """Detections of the package supervision: boxes, masks (n, H, W), peaks as confidences, all of class 0, "defect".

    `size` is the picture's (H, W). Peaks are in the map's unit, not in 0 to 1. FlawsightError where the package is not
    installed.

    >>> regions = find_regions(np.eye(8), threshold=0.5, size=(64, 80))
    >>> detections = to_supervision(regions, (64, 80))
    >>> detections.xyxy.tolist(), detections.mask.shape, detections.confidence.tolist()
    ([[0.0, 0.0, 80.0, 64.0]], (1, 64, 80), [1.0])
    """
    try:
        import supervision
    except ImportError as error:
        raise FlawsightError("supervision is not installed: pip install 'flawsight[supervision]'") from error
    boxes = np.array([region.box for region in regions], np.float32).reshape(-1, 4)
    masks = np.zeros((len(regions), *size), bool)
    for mask, region in zip(masks, regions, strict=True):
        left, top, width, height = region.box
        mask[top : top + height, left : left + width] = region.filled()
    return supervision.Detections(
        xyxy=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        mask=masks,
        confidence=np.array([region.peak for region in regions], np.float32),
        class_id=np.zeros(len(regions), int),
        data={"class_name": np.array([NAME] * len(regions))},
    )


def to_labelme(regions: Sequence[Region], size: tuple[int, int], image_name: str) -> dict[str, Any]:
    """A LabelMe document, to be saved beside the picture `image_name` as its NAME.json and corrected there.

    `size` is the picture's (H, W); each region is a polygon with the label "defect".

    >>> regions = find_regions(np.eye(8), threshold=0.5, size=(64, 80))
    >>> document = to_labelme(regions, (64, 80), "new.png")
    >>> document["imagePath"], document["imageHeight"], [shape["label"] for shape in document["shapes"]]
    ('new.png', 64, ['defect'])
    """
    return {
        "version": _LABELME,
        "flags": {},
        "shapes": [
            {
                "label": NAME,
                "points": [list(point) for point in region.contour],
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            for region in regions
        ],
        "imagePath": image_name,
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
