"""BTAD: one category folder, ok and ko, masks of the image's name with any suffix."""

from pathlib import Path

from flawsight.data.layouts.trees.tree import good_part, read_tree
from flawsight.data.samples import Dataset

HINT = "CATEGORY/{train/ok, test/ok, test/ko, ground_truth/ko/NAME.*}"


def recognises(root: Path) -> bool:
    """True if train/ holds the folder ok and no other."""
    good = good_part(root)
    return good is not None and good.name.casefold() == "ok"


def read(root: Path) -> Dataset:
    """The samples of one category."""
    return read_tree(root, "btad")
