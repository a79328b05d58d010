"""Whether a picture is good, as the names of its folders or its own name say."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flawsight.core import FlawsightError
from flawsight.data.files import subfolders
from flawsight.data.layouts.words import said_by


class Sorted(NamedTuple):
    """What is said of a picture, and the folder (or word) that says it."""

    is_good: bool
    name: str


def sort_pictures(root: Path, images: Sequence[Path]) -> dict[Path, Sorted | None]:
    """By the folders below the root: a word for good or bad, or a name beside a folder of good ones.

    If no folder says anything, by the pictures' own names. FlawsightError where two folders contradict each other.
    """
    beside_good = {sub.parent for sub in subfolders(root, recursive=True) if said_by(sub.name) == "good"}
    by_folder: dict[Path, Sorted | None] = {}
    found = {folder: _by_folders(root, folder, beside_good) for folder in {image.parent for image in images}}
    by_folder = {image: found[image.parent] for image in images}
    if any(by_folder.values()):
        return by_folder
    said = {image: said_by(image.stem) for image in images}
    return {image: Sorted(word == "good", word) if word in ("good", "bad") else None for image, word in said.items()}


def _by_folders(root: Path, folder: Path, beside_good: set[Path]) -> Sorted | None:
    verdicts: list[Sorted] = []
    here = root
    for name in folder.relative_to(root).parts:
        parent, here = here, here / name
        word = said_by(name)
        if word in ("good", "bad"):
            verdicts.append(Sorted(word == "good", name))
        elif parent in beside_good and not verdicts:
            verdicts.append(Sorted(False, name))
    if len({verdict.is_good for verdict in verdicts}) > 1:
        names = " and ".join(f"'{verdict.name}'" for verdict in verdicts)
        raise FlawsightError(f"{folder}: {names} contradict each other; rename one of them")
    return verdicts[0] if verdicts else None
