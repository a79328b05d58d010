"""What is measured of each picture, on the small square that a fit makes of it anyway."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from flawsight.data import measured

THUMBNAIL = 32
"""Side of the thumbnails that are compared: 4 KB a picture, and noise of single pixels is averaged out of them."""
DETAILS = ("detail 1", "detail 2", "detail 4", "detail 8")
"""Details of so many pixels of the square, in grey levels."""
_TINY = 0.2
"""Grey levels below which a difference is rounding."""


@dataclass(frozen=True, eq=False)
class PictureFacts:
    """One picture: where it lies, its (H, W) in the file, what it is like, a grey thumbnail and a digest.

    `looks` are those of `flawsight.data.measured`, how much detail there is at each of four scales, how much contrast
    for its brightness, and how much more of it lies across than down.

    >>> facts = facts_of(good / "000.png", images[0], (64, 80))
    >>> facts.size, facts.thumbnail.shape, facts.is_blank
    ((64, 80), (32, 32), False)
    """

    path: Path
    size: tuple[int, int]
    looks: Mapping[str, float]
    thumbnail: np.ndarray
    digest: bytes

    @property
    def is_blank(self) -> bool:
        """Whether it has one colour: half a grey level is less than any camera's noise."""
        return self.looks["contrast"] < 0.5


def facts_of(
    path: Path, square: np.ndarray, size: tuple[int, int], looks: Mapping[str, float] | None = None
) -> PictureFacts:
    """Measure a picture on its square (S, S, 3) uint8 RGB; `looks` are given where they have been measured already.

    >>> sorted(set(facts_of(good / "000.png", images[0], (64, 80)).looks) - set(fs.data.measured(images[0])))
    ['detail 1', 'detail 2', 'detail 4', 'detail 8', 'direction', 'relief']
    """
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY).astype(np.float32)
    seen = dict(looks or measured(square))
    soft = cv2.pyrDown(grey)
    across, down = (_TINY + float(np.mean(np.abs(np.diff(soft, axis=axis)))) for axis in (1, 0))
    seen |= {
        **dict(zip(DETAILS, _details(grey), strict=True)),
        "relief": float(np.log((seen["contrast"] + 1) / (seen["brightness"] + 10))),
        "direction": float(np.log(across / down)),
    }
    thumbnail = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    digest = hashlib.blake2b(square.tobytes(), digest_size=16).digest()
    return PictureFacts(path, size, seen, thumbnail, digest)


def _details(grey: np.ndarray) -> list[float]:
    """Deviation within each octave of a Laplacian pyramid, the finest first."""
    found = []
    for _ in DETAILS:
        size, coarser = (grey.shape[1], grey.shape[0]), cv2.pyrDown(grey)
        found.append(float(cv2.meanStdDev(grey - cv2.pyrUp(coarser, dstsize=size))[1][0, 0]))
        grey = coarser
    return found
