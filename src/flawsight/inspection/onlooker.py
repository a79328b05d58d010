"""Whether a batch of pictures differs as a whole from those learned, as after a lamp was replaced."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from flawsight.data import change_as_a_whole, measured
from flawsight.inspection.inspector import Inspector
from flawsight.views import resize_image


class Onlooker:
    """Sees the pictures that are inspected, all or the last `most`, and says what is unlike the good ones."""

    def __init__(self, inspector: Inspector, most: int | None = None) -> None:
        pixels = inspector.manifest.data.pixels
        self.looks = pixels.looks if pixels else {}
        self.side = inspector.manifest.data.overview or inspector.manifest.extractor.image_size
        self.rows: deque[dict[str, float]] = deque(maxlen=most)

    def see(self, images: Sequence[np.ndarray]) -> None:
        """Measure some pictures."""
        if self.looks:
            self.rows += [measured(resize_image(image, self.side)) for image in images]

    def change(self) -> str:
        """Where the median of all lies far outside; empty for nowhere."""
        return change_as_a_whole(self.looks, list(self.rows)) or ""

    def tell(self, warn: Callable[[str], object]) -> None:
        """Warn where the median of all lies far outside."""
        if found := self.change():
            warn(found)
