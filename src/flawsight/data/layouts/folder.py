"""A plain folder of good images, nested as the user likes."""

from pathlib import Path

from flawsight.data.files import find_images, subfolders
from flawsight.data.layouts.labelled import GOOD_NAMES
from flawsight.data.listing import list_images
from flawsight.data.samples import GOOD, Dataset, Sample

HINT = "FOLDER of good images only, nested or not, with no subfolder named test, bad, masks or the like"
NOT_GOOD = {"test", "ground_truth", "mask", "masks", "bad", "ko", "ng", "anomaly", "defect", "defects", "defective"}


def recognises(root: Path) -> bool:
    """True if there are images, and no folder below whose name says that not all of them are good."""
    return root.is_dir() and bool(list_images(root).images) and not any(map(_tells, subfolders(root, recursive=True)))


def read(root: Path) -> Dataset:
    """All images are good and belong to the train split."""
    listing = list_images(root)
    images = listing.images or find_images(root, recursive=True)  # which says that there is none
    return Dataset([Sample(path, GOOD, split="train") for path in images], root, "folder", listing.skipped)


def _tells(folder: Path) -> bool:
    """True if the name stands for defects, masks or tests, or is "good" in contrast to a folder beside it."""
    name = folder.name.casefold()
    return name in NOT_GOOD or (name in GOOD_NAMES and len(subfolders(folder.parent)) > 1)
