"""Samples, data set layouts, decoding and splits: everything about pictures on disk, nothing about networks."""

from flawsight.core import lazy_names
from flawsight.data.augmentation import (
    AUGMENTATIONS,
    LABEL_PRESERVING,
    ORIENTATIONS,
    augment,
    augmented,
    check_label_preserving,
    turned,
)
from flawsight.data.decode import InMemory
from flawsight.data.files import find_images
from flawsight.data.fingerprint import fingerprint
from flawsight.data.layouts import LAYOUTS, find_categories, good_images, good_samples, open_dataset
from flawsight.data.layouts.trees.loco_defects import SaturationRules, read_saturation_rules
from flawsight.data.lazy import LazyImages
from flawsight.data.listing import Listing, Skipped, left_out, list_images
from flawsight.data.masks import MaskRule, Masks, learn_masks, read_mask
from flawsight.data.names import IMAGE_SUFFIXES
from flawsight.data.pixels import (
    PixelFormat,
    change_as_a_whole,
    check_shape,
    has_colour,
    image_size,
    learn_pixel_format,
    measured,
    mixed_colours,
    read_image,
    usual_looks,
)
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample
from flawsight.data.splits import MIN_GOOD, GoodSplit, folds, split_good
from flawsight.settings import MAX_PIXELS

__all__ = [
    "AUGMENTATIONS",
    "DEFECTIVE",
    "GOOD",
    "IMAGE_SUFFIXES",
    "LABEL_PRESERVING",
    "LAYOUTS",
    "MAX_PIXELS",
    "MIN_GOOD",
    "ORIENTATIONS",
    "Dataset",
    "GoodSplit",
    "InMemory",
    "LazyImages",
    "Listing",
    "MaskRule",
    "Masks",
    "PixelFormat",
    "Sample",
    "SaturationRules",
    "Skipped",
    "augment",
    "augmented",
    "change_as_a_whole",
    "check_label_preserving",
    "check_shape",
    "find_categories",
    "find_images",
    "fingerprint",
    "folds",
    "good_images",
    "good_samples",
    "has_colour",
    "image_size",
    "learn_masks",
    "learn_pixel_format",
    "left_out",
    "list_images",
    "measured",
    "mixed_colours",
    "open_dataset",
    "read_image",
    "read_mask",
    "read_saturation_rules",
    "split_good",
    "turned",
    "usual_looks",
]
__getattr__ = lazy_names(
    __name__, renamed={"SAFE": "LABEL_PRESERVING", "check_safe": "check_label_preserving", "enlarged": "augmented"}
)
