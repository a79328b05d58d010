"""A plain folder of good images, nested as the user likes."""

import re
from collections.abc import Sequence
from pathlib import Path

from flawsight.data.files import find_images, has_images, subfolders
from flawsight.data.layouts.words import said_by
from flawsight.data.listing import is_file
from flawsight.data.names import few_names
from flawsight.data.samples import GOOD, Dataset, Sample

_OF_THE_FILE = re.compile("bad|broken|damage|fail", re.IGNORECASE)
"""Words in an image's name that may speak of the file instead of the part."""
HINT = "FOLDER of good images only, nested or not, with no subfolder named test, bad, masks or the like"


def recognises(root: Path) -> bool:
    """True if there are images, and no folder below whose name says that not all of them are good."""
    return root.is_dir() and has_images(root, recursive=True) and not telling(root)


def telling(root: Path) -> list[Path]:
    """Folders whose name stands for defects, masks or tests, or is "good" in contrast to a folder beside it."""
    if not root.is_dir():
        return []
    folders = subfolders(root, recursive=True)
    said = {folder: said_by(folder.name) for folder in folders}
    beside = {folder.parent for folder in folders if said[folder] != "good"}
    return [
        folder
        for folder, word in said.items()
        if word in ("bad", "test", "mask") or (word == "good" and folder.parent in beside)
    ]


def read(root: Path) -> Dataset:
    """All images are good and belong to the train split, but for those whose own name says otherwise."""
    images = find_images(root, recursive=True)
    notes = _sidecars(images)
    suspects = [path for path in images if said_by(path.stem) in ("bad", "mask")]
    left_out = {path for path in suspects if not _OF_THE_FILE.search(path.stem)}
    if len(left_out) == len(images):
        left_out = set()  # a word in every name tells nothing apart
    if left_out:
        names = few_names(sorted(left_out))
        notes.append(f"{len(left_out)} images left out, for their names say defective or mask: {names}")
        images = [path for path in images if path not in left_out]
    if kept := [path for path in suspects if path not in left_out]:
        notes.append(f"{len(kept)} images are taken for good, though their names say otherwise: {few_names(kept)}")
    if said_by(root.absolute().name) in ("bad", "mask"):
        notes.append(f"all images are taken for good, though their folder is called '{root.absolute().name}'")
    return Dataset([Sample(path, GOOD, split="train") for path in images], root, "folder", notes)


def _sidecars(images: Sequence[Path]) -> list[str]:
    """A sentence on text files of the images' names, which may say what is on them."""
    found = [path for image in images if is_file(path := image.with_suffix(".txt"))]
    return [f"{len(found)} text files with the names of images are not read: {few_names(found)}"] if found else []
