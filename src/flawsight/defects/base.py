"""What every synthetic defect shares: the contract, the checks of its inputs, and the redrawing of failed attempts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

REFERENCE_SIDE = 256
"""The papers state their pixel numbers for images of this side; defaults scale from it."""


class SyntheticDefect(Protocol):
    """Anything that turns a good image into a defective one with its label.

    >>> def negative(image, rng, sources):
    ...     return 255 - image, np.ones(image.shape[:2], bool)
    >>> bad, masks = apply_defects(images, negative, kind="negative", seed=0)
    >>> len(bad), bool(masks[0].all())
    (12, True)
    """

    def __call__(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask]:
        """Return a defective copy of image (H, W, 3) uint8 RGB and the bool mask (H, W) of its defective pixels.

        sources are good images, of any size, from which material may be taken; the inputs are never modified.
        """


@dataclass(frozen=True, kw_only=True)
class DrawnDefect(ABC):
    """A defect drawn at random until it succeeds: subclasses implement one attempt, `draw`.

    >>> class Dark(DrawnDefect):
    ...     def draw(self, image, rng, sources):
    ...         return image // 2, np.ones(image.shape[:2], bool)
    >>> bad, mask = Dark()(images[0], np.random.default_rng(0), images[1:])
    >>> bool(mask.all())
    True
    """

    title: ClassVar[str] = ""
    """What reports call this kind; its registered name where there is none."""
    looks: ClassVar[str] = ""
    """What it looks like, in a few words."""

    redraws: int = 20
    min_area: float = 25 / REFERENCE_SIDE**2  # share of the image; smaller labels are redrawn

    def __post_init__(self) -> None:
        check_count("redraws", self.redraws)

    def __call__(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask]:
        """Draw the defect; see `SyntheticDefect`. Raises FlawsightError when no attempt succeeds."""
        check_image(image, "the image")
        if not isinstance(rng, np.random.Generator):
            raise FlawsightError(f"rng must be a numpy Generator, such as np.random.default_rng(0), got {rng!r}.")
        if len(sources) == 0:
            raise FlawsightError("No source images were given: pass one good image or more, or the image itself.")
        image = np.ascontiguousarray(image)  # OpenCV cannot read mirrored views
        smallest = max(1, round(self.min_area * image.shape[0] * image.shape[1]))
        for _ in range(self.redraws):
            drawn = self.draw(image, rng, sources)
            if drawn is not None and np.count_nonzero(drawn[1]) >= smallest:
                return drawn
        raise FlawsightError(
            f"{type(self).__name__}: no defect could be placed in {self.redraws} attempts on an image of "
            f"{image.shape[1]}x{image.shape[0]} pixels. Is the image uniform or very small, or does the product's "
            "foreground miss it? Try another kind, or other parameters."
        )

    @abstractmethod
    def draw(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask] | None:
        """Make one attempt on a checked image; None, or a mask that is too small, asks for another."""


def check_image(image: Any, what: str) -> None:
    """Raise FlawsightError unless image is uint8 of shape (H, W, 3), not empty."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise FlawsightError(f"{what.capitalize()} must be a uint8 RGB array of shape (H, W, 3), got {got}.")
    if image.size == 0:
        raise FlawsightError(f"{what.capitalize()} is empty: shape {image.shape}.")


def check_bounds(name: str, bounds: tuple[float, float], lowest: float, highest: float) -> None:
    """Raise FlawsightError unless lowest <= bounds[0] <= bounds[1] <= highest."""
    numbers = np.asarray(bounds)
    ordered = numbers.shape == (2,) and numbers.dtype.kind in "iuf" and lowest <= numbers[0] <= numbers[1] <= highest
    if not ordered:
        raise FlawsightError(f"{name} must be (low, high) with {lowest} <= low <= high <= {highest}, got {bounds}.")


def check_count(name: str, value: Any, lowest: int = 1) -> None:
    """Raise FlawsightError unless value is an integer of at least lowest."""
    if not isinstance(value, int | np.integer) or value < lowest:
        raise FlawsightError(f"{name} must be an integer of at least {lowest}, got {value!r}.")


def pick_source(sources: Sequence[Image], rng: np.random.Generator, shape: tuple[int, ...]) -> Image:
    """Return a random source, resized to the (height, width) of shape if it differs."""
    source = sources[int(rng.integers(len(sources)))]
    check_image(source, "a source image")
    if source.shape[:2] == tuple(shape[:2]):
        return np.ascontiguousarray(source)
    return as_image(cv2.resize(source, (shape[1], shape[0]), interpolation=cv2.INTER_AREA))


def as_image(array: NDArray[Any]) -> Image:
    """Round and saturate to uint8."""
    if array.dtype == np.uint8:
        return array
    return np.clip(np.rint(array), 0, 255).astype(np.uint8)


def is_grey(image: Image) -> bool:
    """Tell whether all channels of image (H, W, 3) are equal, as from a grey camera."""
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all())


def changed(before: Image, after: Image, tolerance: float = 0.0) -> Mask:
    """Return where the mean over channels of |before - after| exceeds tolerance (grey levels)."""
    mean: Mask = cv2.absdiff(before, after).sum(axis=2, dtype=np.int32) > 3 * tolerance
    return mean


def median_filter(mask: Mask, size: int) -> Mask:
    """Median-filter a mask with a square whose side is `size` at 256 pixels, scaled to the mask and made odd."""
    scaled = int(size * min(mask.shape) / REFERENCE_SIDE) // 2 * 2 + 1
    return cv2.medianBlur(mask.astype(np.uint8), min(scaled, 255)).astype(bool) if scaled > 1 else mask
