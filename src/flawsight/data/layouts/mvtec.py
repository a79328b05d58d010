"""MVTec AD (and MPDD, and VisA as its authors' script prepares it): one category folder."""

from pathlib import Path

from flawsight.data.layouts.tree import is_tree, read_tree
from flawsight.data.samples import Dataset

HINT = "CATEGORY/{train/good, test/good, test/KIND, ground_truth/KIND/NAME_mask.png}"


def recognises(root: Path) -> bool:
    """True if train/ holds the folder good and no other."""
    return is_tree(root, "good")


def read(root: Path) -> Dataset:
    """The samples of one category."""
    return read_tree(root, "good", "mvtec")
