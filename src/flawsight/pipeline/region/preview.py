"""A picture of the region of interest on a few good pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from flawsight.core import written_whole
from flawsight.defects.foreground import MOST_SHOWN, dimmed_outside
from flawsight.views import RegionOfInterest


def region_preview(images: Sequence[np.ndarray], region: RegionOfInterest, path: Path) -> Path:
    """Write a PNG of the first four good images (H, W, 3) uint8: the region outlined, what is outside dimmed.

    FlawsightError where an image is of another size than the region, or the file cannot be written.

    >>> region = fs.views.RegionOfInterest(np.pad(np.ones((32, 48), bool), 16))
    >>> region_preview(images, region, tmp / "region.png").name
    'region.png'
    """
    sheet = region_sheet(images, region)
    with written_whole(path) as partial:
        Image.fromarray(sheet).save(partial, format="PNG")
    return path


def region_sheet(images: Sequence[np.ndarray], region: RegionOfInterest) -> np.ndarray:
    """The same as an image (H, W, 3) uint8 RGB.

    >>> region = fs.views.RegionOfInterest(np.pad(np.ones((32, 48), bool), 16))
    >>> fs.pipeline.region.region_sheet(images, region).ndim
    3
    """
    shown = []
    for number in range(min(MOST_SHOWN, len(images))):
        image = images[number]
        region.check((image.shape[0], image.shape[1]), f"good image {number + 1}")
        shown.append(dimmed_outside(image, region.mask))
    return np.hstack(shown)
