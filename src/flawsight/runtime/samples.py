"""The pictures by which a graph is compared with torch: good ones, and synthetic defects with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from flawsight.bundle import SampleInfo
from flawsight.bundle.store import SAMPLES
from flawsight.core import FlawsightError, spread
from flawsight.views import resize_image

GOOD = "good"
MOST_GOOD, MOST_DEFECTIVE = 24, 24


@dataclass(frozen=True, eq=False)
class Samples:
    """Squares (S, S, 3) uint8 RGB with their masks (S, S) bool, and of what kind each is: `good`, or a defect's.

    >>> samples = Samples.of(images, fitted.record.defects, side=64)
    >>> sorted(set(samples.kinds))
    ['good', 'nsa', 'perlin', 'scratch']
    >>> again = Samples.from_png(samples.png(), samples.kinds)
    >>> all((a == b).all() for a, b in zip(again.squares, samples.squares))
    True
    """

    squares: list[np.ndarray]
    masks: list[np.ndarray]
    kinds: tuple[str, ...]

    @classmethod
    def of(
        cls,
        good: Sequence[np.ndarray],
        defects: Mapping[str, tuple[Sequence[np.ndarray], Sequence[np.ndarray]]],
        side: int,
    ) -> Samples:
        """Some of these, evenly drawn, as many of each kind of defect."""
        found = [
            (resize_image(good[at], side), np.zeros((side, side), bool), GOOD) for at in spread(len(good), MOST_GOOD)
        ]
        for kind, (images, masks) in defects.items():
            for at in spread(len(images), max(1, MOST_DEFECTIVE // len(defects))):
                mask = cv2.resize(masks[at].astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0
                found.append((resize_image(images[at], side), mask, kind))
        squares, drawn, kinds = zip(*found, strict=True)
        return cls(list(squares), list(drawn), tuple(kinds))

    @property
    def labels(self) -> np.ndarray:
        """1 for the defective."""
        return np.array([int(kind != GOOD) for kind in self.kinds])

    def png(self) -> bytes:
        """One picture: each square with its mask at its right, one below the other."""
        rows = [
            np.hstack([square, np.repeat(mask[:, :, None], 3, 2).astype(np.uint8) * 255])
            for square, mask in zip(self.squares, self.masks, strict=True)
        ]
        encoded: bytes = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))[1].tobytes()
        return encoded

    @classmethod
    def from_png(cls, data: bytes, kinds: Sequence[str]) -> Samples:
        """The inverse of `png`."""
        whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if whole is None or whole.shape[1] * len(kinds) != 2 * whole.shape[0]:
            raise FlawsightError(f"{SAMPLES} is not as the bundle says: fit it again, or copy it whole")
        side = whole.shape[1] // 2
        rows = np.split(cv2.cvtColor(whole, cv2.COLOR_BGR2RGB), len(kinds))
        squares = [np.ascontiguousarray(row[:, :side]) for row in rows]
        return cls(squares, [row[:, side:, 0] > 127 for row in rows], tuple(kinds))

    @classmethod
    def of_bundle(cls, folder: Path, about: SampleInfo) -> Samples:
        """Those that a bundle keeps."""
        return cls.from_png((folder / SAMPLES).read_bytes(), about.kinds)
