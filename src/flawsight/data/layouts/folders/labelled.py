"""Sorted pictures: a folder good (or ok, normal ...) beside folders of defects, all of them to evaluate on."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.files import find_images, subfolders
from flawsight.data.layouts.folders.sorting import sort_pictures
from flawsight.data.layouts.words import said_by
from flawsight.data.listing import list_images
from flawsight.data.names import few_names
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample

HINT = "FOLDER/{good or ok or normal, KIND, KIND ...}, or pictures called good_1.png, bad_1.png"


def recognises(root: Path) -> bool:
    """True if good ones stand beside others, and no folder is part of a larger layout."""
    folders = subfolders(root, recursive=True)
    if not root.is_dir() or any(said_by(folder.name) in ("train", "test", "mask") for folder in folders):
        return False
    said = sort_pictures(root, list_images(root).images).values()
    by_folders = any(said_by(folder.name) == "good" for folder in folders)
    verdicts = {one.is_good for one in said if one}
    return verdicts == {True, False} and (by_folders or None not in said)


def read(root: Path) -> Dataset:
    """All samples belong to the test split; a folder's name is the kind; there are no masks."""
    said = sort_pictures(root, find_images(root, recursive=True))
    loose = [path for path, one in said.items() if one is None]
    if loose:
        raise FlawsightError(
            f"{root} holds images beside its folders of good and defective ones ({few_names(loose)}); "
            "move each into the folder where it belongs"
        )
    samples = [
        Sample(path, GOOD) if one.is_good else Sample(path, DEFECTIVE, kind=one.name)
        for path, one in said.items()
        if one
    ]
    return Dataset(samples, root, "labelled")
