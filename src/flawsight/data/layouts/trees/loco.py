"""MVTec LOCO AD: one category folder; each picture has a folder of masks, one for each fault in it."""

from pathlib import Path

from flawsight.data.files import folder_named, subfolders
from flawsight.data.layouts.trees.tree import good_part, read_tree
from flawsight.data.samples import Dataset

KINDS = {"logical_anomalies", "structural_anomalies"}
HINT = "CATEGORY/{train/good, test/{good,logical_anomalies,structural_anomalies}, ground_truth/KIND/NAME/000.png}"


def recognises(root: Path) -> bool:
    """True if train/ holds the folder good and no other, and test/ one of LOCO's kinds."""
    kinds = {folder.name.casefold() for folder in subfolders(folder_named(root, "test"))}
    return bool(kinds & KINDS) and good_part(root) is not None


def read(root: Path) -> Dataset:
    """The samples of one category; what marks one picture is united."""
    return read_tree(root, "loco")
