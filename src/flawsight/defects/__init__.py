"""Synthetic defects: images of good products in, defective images with exact labels out.

defect = make("nsa", product=estimate_product(good_images))
bad_images, masks = apply_defects(good_images, defect, kind="nsa", seed=0)
"""

from flawsight.defects._base import Image, Mask, SyntheticDefect
from flawsight.defects._registry import KINDS, make
from flawsight.defects.generate import apply_defects
from flawsight.defects.product import Product, estimate_product, foreground

__all__ = [
    "KINDS",
    "Image",
    "Mask",
    "Product",
    "SyntheticDefect",
    "apply_defects",
    "estimate_product",
    "foreground",
    "make",
]
