"""Whether a batch of pictures differs as a whole from those learned, as after a lamp was replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from flawsight.data import change_as_a_whole, measured
from flawsight.inspection.inspector import Inspector
from flawsight.views import resize_image


class Onlooker:
    """Sees the pictures that are inspected, and says at the end what is unlike the good ones; verdicts stay."""

    def __init__(self, inspector: Inspector) -> None:
        pixels = inspector.manifest.data.pixels
        self.looks = pixels.looks if pixels else {}
        self.side = inspector.manifest.data.overview or inspector.manifest.extractor.image_size
        self.rows: list[dict[str, float]] = []

    def see(self, images: Sequence[np.ndarray]) -> None:
        """Measure some pictures."""
        if self.looks:
            self.rows += [measured(resize_image(image, self.side)) for image in images]

    def tell(self, warn: Callable[[str], object]) -> None:
        """Warn where the median of all lies far outside."""
        found = change_as_a_whole(self.looks, self.rows)
        if found:
            warn(found)
