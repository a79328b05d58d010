"""Samples, data set layouts, decoding and splits: everything about pictures on disk, nothing about networks."""

from flawsight.core import lazy_names
from flawsight.data.augmentation import AUGMENTATIONS, LABEL_PRESERVING, augment, augmented, check_label_preserving
from flawsight.data.decode import MAX_PIXELS, image_size, read_image, read_mask
from flawsight.data.files import IMAGE_SUFFIXES, find_images
from flawsight.data.fingerprint import fingerprint
from flawsight.data.layouts import LAYOUTS, good_images, good_samples, open_dataset
from flawsight.data.lazy import LazyImages
from flawsight.data.listing import Listing, Skipped, left_out, list_images
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample
from flawsight.data.splits import MIN_GOOD, GoodSplit, folds, split_good

__all__ = [
    "AUGMENTATIONS",
    "DEFECTIVE",
    "GOOD",
    "IMAGE_SUFFIXES",
    "LABEL_PRESERVING",
    "LAYOUTS",
    "MAX_PIXELS",
    "MIN_GOOD",
    "Dataset",
    "GoodSplit",
    "LazyImages",
    "Listing",
    "Sample",
    "Skipped",
    "augment",
    "augmented",
    "check_label_preserving",
    "find_images",
    "fingerprint",
    "folds",
    "good_images",
    "good_samples",
    "image_size",
    "left_out",
    "list_images",
    "open_dataset",
    "read_image",
    "read_mask",
    "split_good",
]
__getattr__ = lazy_names(
    __name__, renamed={"SAFE": "LABEL_PRESERVING", "check_safe": "check_label_preserving", "enlarged": "augmented"}
)
