"""A plain folder of good images, nested as the user likes."""

from collections.abc import Sequence
from pathlib import Path

from flawsight.data.files import few_names, find_images, has_images, subfolders
from flawsight.data.layouts.words import said_by
from flawsight.data.samples import GOOD, Dataset, Sample

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
    suspects = [path for path in images if said_by(path.stem) in ("bad", "mask")]
    notes = _sidecars(images)
    if suspects and len(suspects) < len(images):
        notes.append(f"{len(suspects)} images left out, for their names say defective or mask: {few_names(suspects)}")
        images = [path for path in images if path not in set(suspects)]
    elif suspects:
        notes.append(f"all images are taken for good, though their names say otherwise: {few_names(suspects)}")
    if said_by(root.absolute().name) in ("bad", "mask"):
        notes.append(f"all images are taken for good, though their folder is called '{root.absolute().name}'")
    return Dataset([Sample(path, GOOD, split="train") for path in images], root, "folder", notes)


def _sidecars(images: Sequence[Path]) -> list[str]:
    """A sentence on text files of the images' names, which may say what is on them."""
    found = [path for image in images if (path := image.with_suffix(".txt")).is_file()]
    return [f"{len(found)} text files with the names of images are not read: {few_names(found)}"] if found else []
