"""MVTec AD (and MPDD, and VisA as its authors' script prepares it): one category folder."""

from pathlib import Path

from flawsight.data.layouts.trees import btad, loco
from flawsight.data.layouts.trees.tree import good_part, read_tree
from flawsight.data.samples import Dataset

HINT = "CATEGORY/{train/good, test/good, test/KIND, ground_truth/KIND/NAME_mask.png}"


def recognises(root: Path) -> bool:
    """True if train/ holds the folder good and no other."""
    return good_part(root) is not None and not btad.recognises(root) and not loco.recognises(root)


def read(root: Path) -> Dataset:
    """The samples of one category."""
    return read_tree(root, "mvtec")
