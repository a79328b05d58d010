"""Synthetic defects: images of good products in, defective images with exact labels out."""

from flawsight.defects.base import DrawnDefect, Image, Mask, SyntheticDefect
from flawsight.defects.foreground import Foreground, described_product, foreground_preview, with_foreground
from flawsight.defects.generate import apply_defects
from flawsight.defects.product import Product, estimate_product, foreground
from flawsight.defects.registry import AUTO_KINDS, KINDS, defect_kinds, make
from flawsight.defects.sized import SIZED, SizedKind, draw_sized, side_of
from flawsight.defects.textures import read_textures

__all__ = [
    "AUTO_KINDS",
    "KINDS",
    "SIZED",
    "DrawnDefect",
    "Foreground",
    "Image",
    "Mask",
    "Product",
    "SizedKind",
    "SyntheticDefect",
    "apply_defects",
    "defect_kinds",
    "described_product",
    "draw_sized",
    "estimate_product",
    "foreground",
    "foreground_preview",
    "make",
    "read_textures",
    "side_of",
    "with_foreground",
]
