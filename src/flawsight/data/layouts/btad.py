"""BTAD: one category folder, ok and ko, masks of the image's name with any suffix."""

from pathlib import Path

from flawsight.data.layouts.tree import is_tree, read_tree
from flawsight.data.samples import Dataset

HINT = "CATEGORY/{train/ok, test/ok, test/ko, ground_truth/ko/NAME.*}"


def recognises(root: Path) -> bool:
    """True if train/ holds the folder ok and no other."""
    return is_tree(root, "ok")


def read(root: Path) -> Dataset:
    """The samples of one category."""
    return read_tree(root, "ok", "btad")
