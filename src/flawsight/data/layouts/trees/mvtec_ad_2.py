"""MVTec AD 2: one category folder; of the test images only the public ones have labels."""

from pathlib import Path

from flawsight.data.files import find_images, folder_named, has_images, subfolders
from flawsight.data.layouts.trees.tree import TRUTH, good_part, read_tree
from flawsight.data.samples import Dataset, Sample

HINT = "CATEGORY/{train/good, test_public/{good,bad,ground_truth/bad/NAME_mask.png}}"
TEST = "test_public"


def recognises(root: Path) -> bool:
    """True if train/ holds the folder good and no other, and test_public is there."""
    return good_part(root) is not None and folder_named(root, TEST).is_dir()


def read(root: Path) -> Dataset:
    """The samples of one category; images of test_private and test_private_mixed have no label."""
    labelled = read_tree(root, "mvtec_ad_2", TEST, folder_named(folder_named(root, TEST), *TRUTH))
    private = [folder for folder in subfolders(root) if folder.name.casefold().startswith("test_private")]
    unknown = [
        Sample(path, None, kind="unknown")
        for folder in private
        if has_images(folder, recursive=True)
        for path in find_images(folder, recursive=True)
    ]
    read = {sample.path for sample in unknown}
    skipped = [one for one in labelled.skipped if one.path not in read]
    return Dataset([*labelled, *unknown], root, "mvtec_ad_2", labelled.notes, skipped)
