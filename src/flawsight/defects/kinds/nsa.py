"""Natural synthetic anomalies: patches of another good image, blended in by Poisson editing (paper A, Sec. 3.2).

The steps and numbers are those of Schlueter et al. (2022); see `NSA` for the few deliberate differences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.defects.base import (
    REFERENCE_SIDE,
    DrawnDefect,
    Image,
    Mask,
    as_image,
    changed,
    check_count,
    median_filter,
    pick_source,
)
from flawsight.defects.product import Product, foreground

Rectangle = tuple[slice, slice]

SMALLEST_SIDE = 12
"""cv2.seamlessClone erodes its mask by 3 pixels on each side: patches smaller than this would carry nothing over."""


@dataclass(frozen=True, kw_only=True)
class NSA(DrawnDefect):
    """1 to product.num_patches patches, each further one with probability 1/2, cloned one after another.

    Half-sizes are offset + Gamma(shape, scale) of the image's side, scales N(1, 0.5), both clipped to the product's
    bounds. Textures are cloned with mixed gradients, objects with the source's. The label is where the image changed by
    more than tolerance grey levels, in the object of source or target.
    Differences from Schlueter et al.: patches are at least 12 pixels wide, the label regions of overlapping patches are
    united, and background that changed by more than half its threshold is labelled too.
    """

    title: ClassVar = "Blended pieces"
    looks: ClassVar = "pieces of other good pictures, blended in without an edge"

    product: Product = field(default_factory=Product)
    gamma: tuple[float, float, float] = (2.0, 0.05, 0.03)  # shape, scale, offset
    tries: int = 200
    tolerance: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("tries", self.tries)
        if len(self.gamma) != 3 or min(self.gamma[:2]) <= 0:
            raise FlawsightError(f"gamma must be (shape > 0, scale > 0, offset), got {self.gamma}.")

    def draw(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask] | None:
        """Blend the patches in; see `DrawnDefect.draw`."""
        source = pick_source(sources, rng, image.shape)
        source_object, target_object = foreground(source, self.product), foreground(image, self.product)
        result, region = image.copy(), np.zeros(image.shape[:2], dtype=bool)
        for number in range(self.product.num_patches):
            if number > 0 and rng.random() < 0.5:
                continue
            drawn = self._draw_patch(source, source_object, target_object, rng)
            if drawn is None:
                continue
            patch, labelled, place = drawn
            if seamless_clone(patch, result[place], mixed=self.product.texture):
                region[place] |= labelled
        visible = region
        if self.product.background is not None:  # what bled this far into the background shows as well
            visible = region | changed(image, result, self.product.background[1] / 2)
        return result, median_filter(changed(image, result, self.tolerance) & visible, 5)

    def _draw_patch(
        self, source: Image, source_object: Mask, target_object: Mask, rng: np.random.Generator
    ) -> tuple[Image, Mask, Rectangle] | None:
        """Return a patch (h, w, 3), the object in it or under it (h, w), and its place; None if no place suits."""
        cut = self._cut(source_object, rng)
        if cut is None:
            return None
        height, width = self._rescaled(cut, source.shape, rng)
        patch_object = cv2.resize(source_object[cut].astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        place = self._place(patch_object > 0, target_object, rng)
        if place is None:
            return None
        labelled = (patch_object > 0) | target_object[place]
        if np.count_nonzero(labelled) < 50 * target_object.size / REFERENCE_SIDE**2:
            return None
        return as_image(cv2.resize(source[cut], (width, height))), labelled, place

    def _cut(self, source_object: Mask, rng: np.random.Generator) -> Rectangle | None:
        """Return a random rectangle of the source that shows enough object, or None after all tries."""
        shape, scale, offset = self.gamma
        bounds = self._half_bounds(source_object.shape)
        halves = [
            int(np.clip((offset + rng.gamma(shape, scale)) * side, *bound))
            for side, bound in zip(source_object.shape, bounds, strict=True)
        ]
        for _ in range(self.tries):
            rectangle = tuple(
                _clipped(int(rng.integers(low, max(low, side - low - 1) + 1)), half, side)
                for (low, _), half, side in zip(bounds, halves, source_object.shape, strict=True)
            )
            if self.product.background is None or source_object[rectangle].mean() > self.product.min_object_share:
                return rectangle[0], rectangle[1]
        return None

    def _rescaled(self, cut: Rectangle, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int]:
        """Return the randomly scaled (height, width) of a cut, its aspect ratio kept as far as the bounds allow."""
        height, width = cut[0].stop - cut[0].start, cut[1].stop - cut[1].start
        (low_h, high_h), (low_w, high_w) = self._half_bounds(shape)
        scale = float(np.clip(rng.normal(1.0, 0.5), *self.product.resize))
        # The original applies the bounds of the half-size to the full size here; so do we.
        aspect = width / height
        new_width = float(np.clip(np.clip(scale * height, low_h, high_h) * aspect, low_w, high_w))
        new_height = float(np.clip(new_width / aspect, low_h, high_h))
        smallest = [min(SMALLEST_SIDE, side) for side in shape[:2]]
        return max(int(new_height), smallest[0]), max(int(new_width), smallest[1])

    def _place(self, patch_object: Mask, target_object: Mask, rng: np.random.Generator) -> Rectangle | None:
        """Return a random rectangle of the patch's size in the target that meets its object, or None."""
        height, width = patch_object.shape
        known = self.product.background is not None
        if known and patch_object.mean() <= self.product.min_object_share:
            return None
        object_size = max(1, int(np.count_nonzero(patch_object)))
        for _ in range(self.tries):
            top = int(rng.integers(target_object.shape[0] - height + 1))
            left = int(rng.integers(target_object.shape[1] - width + 1))
            place = np.s_[top : top + height, left : left + width]
            overlap = np.count_nonzero(target_object[place] & patch_object) / object_size
            if not known or overlap > self.product.min_overlap_share:
                return place
        return None

    def _half_bounds(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the bounds of the half-height and the half-width in pixels."""
        vertical, horizontal = (
            (max(1, int(low * side)), max(1, int(high * side)))
            for (low, high), side in zip((self.product.half_height, self.product.half_width), shape[:2], strict=True)
        )
        return vertical, horizontal


def _clipped(centre: int, half: int, side: int) -> slice:
    return slice(max(0, centre - half), min(side, centre + half))


def seamless_clone(patch: Image, target: Image, *, mixed: bool) -> bool:
    """Poisson-clone patch (h, w, 3) into target of the same shape, in place; False if OpenCV refuses.

    The outermost pixels are the boundary condition and keep the target's values.
    """
    height, width = patch.shape[:2]
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[1:-1, 1:-1] = 255
    # OpenCV centres the mask's bounding box, here (1, 1, width - 2, height - 2), on this point.
    centre = (1 + (width - 2) // 2, 1 + (height - 2) // 2)
    try:
        cloned = cv2.seamlessClone(
            patch, np.ascontiguousarray(target), mask, centre, cv2.MIXED_CLONE if mixed else cv2.NORMAL_CLONE
        )
    except cv2.error:
        return False
    # The solver truncates; left in, that level would add up over patches to a label on pixels that look untouched.
    np.copyto(target, cloned, where=(cv2.absdiff(cloned, target).max(axis=2) > 1)[..., None])
    return True
