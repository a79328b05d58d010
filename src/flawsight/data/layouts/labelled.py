"""Sorted pictures: a folder good (or ok) beside one folder per defect kind, all of them to evaluate on."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.files import find_images, has_images, subfolders
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample

HINT = "FOLDER/{good or ok, KIND, KIND ...}"
GOOD_NAMES = {"good", "ok"}
NO_KINDS = {"train", "test", "ground_truth", "mask", "masks"}


def recognises(root: Path) -> bool:
    """True if good or ok stands beside other folders, none of which is part of a larger layout."""
    names = {folder.name.casefold() for folder in subfolders(root)}
    return bool(names & GOOD_NAMES) and bool(names - GOOD_NAMES) and not names & NO_KINDS


def read(root: Path) -> Dataset:
    """All samples belong to the test split; a folder's name is the kind; there are no masks."""
    if has_images(root):
        raise FlawsightError(f"{root} holds images beside its folders; move each into the folder where it belongs")
    samples: list[Sample] = []
    for folder in subfolders(root):
        images = find_images(folder, recursive=True)
        if folder.name.casefold() in GOOD_NAMES:
            samples += [Sample(path, GOOD) for path in images]
        else:
            samples += [Sample(path, DEFECTIVE, kind=folder.name) for path in images]
    return Dataset(samples, root, "labelled")
