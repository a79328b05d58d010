"""What a bundle sees now: the last picture, and whether pictures differ as a whole from those learned."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np

from flawsight.inspection.onlooker import Onlooker
from flawsight.scoring import ColourScale
from flawsight.station.bundles import Loaded
from flawsight.station.engine.job import Answer
from flawsight.station.engine.small import SHOWN, coloured_png, heatmap_png, jpeg
from flawsight.station.history import Record

LOOKS, SECONDS_BETWEEN_LOOKS = 50, 0.2
"""So many pictures are looked at as wholes, and one more at most so often: it would cost time on every one."""


@dataclass(frozen=True)
class Live:
    """A picture that was just inspected; the images are made when they are asked for."""

    record: Record
    image: np.ndarray
    anomaly_map: np.ndarray
    scale: ColourScale

    @cached_property
    def picture(self) -> bytes:
        """A JPEG of at most 1280 pixels."""
        return jpeg(self.image, SHOWN)

    @cached_property
    def heatmap(self) -> bytes:
        """An RGBA PNG to lay over it, stretched to its size."""
        return coloured_png(heatmap_png(self.anomaly_map, self.scale))


class Watchman:
    """Holds the last picture of each bundle, and what the last fifty looked like as wholes."""

    def __init__(self) -> None:
        self._last: dict[str, Live] = {}
        self._onlookers: dict[tuple[str, str], Onlooker] = {}
        self._next_look: dict[str, float] = {}
        self._lock = Lock()

    def see(self, loaded: Loaded, image: np.ndarray, answer: Answer) -> None:
        """One more picture was inspected."""
        if answer.result is None:
            return
        scale = loaded.inspector.manifest.colour_scale
        self._last[loaded.name] = Live(answer.record, image, answer.result.anomaly_map, scale)
        now = time.monotonic()
        with self._lock:
            if now < self._next_look.get(loaded.name, 0.0):
                return
            self._next_look[loaded.name] = now + SECONDS_BETWEEN_LOOKS
        self._of(loaded).see([image])

    def live(self, name: str) -> Live | None:
        """The last picture, if there was one."""
        return self._last.get(name)

    def drift(self, loaded: Loaded) -> str:
        """What differs as a whole from the pictures learned; empty for nothing."""
        return self._of(loaded).change()

    def _of(self, loaded: Loaded) -> Onlooker:
        return self._onlookers.setdefault((loaded.name, loaded.digest), Onlooker(loaded.inspector, LOOKS))
