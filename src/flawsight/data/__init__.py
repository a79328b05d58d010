"""Samples, data set layouts, decoding and splits: everything about pictures on disk, nothing about networks."""

from flawsight.core import lazy_names
from flawsight.data.augmentation import AUGMENTATIONS, LABEL_PRESERVING, augment, augmented, check_label_preserving
from flawsight.data.decode import MAX_PIXELS, image_size, read_image, read_mask
from flawsight.data.files import IMAGE_SUFFIXES, find_images
from flawsight.data.fingerprint import fingerprint
from flawsight.data.layouts import LAYOUTS, good_images, good_samples, open_dataset
from flawsight.data.lazy import LazyImages
from flawsight.data.listing import Listing, Skipped, is_folder, left_out, list_images, no_file
from flawsight.data.own_output import is_own_output, mark_output
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
    "is_folder",
    "is_own_output",
    "left_out",
    "list_images",
    "mark_output",
    "no_file",
    "open_dataset",
    "read_image",
    "read_mask",
    "split_good",
]
__getattr__ = lazy_names(
    __name__, renamed={"SAFE": "LABEL_PRESERVING", "check_safe": "check_label_preserving", "enlarged": "augmented"}
)
