"""The tree that most published data sets share: train/GOOD, test/{GOOD,KIND}, ground_truth/KIND."""

from collections.abc import Sequence
from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.files import find_images, folder_named, subfolders
from flawsight.data.layouts.trees.truth import masks_of
from flawsight.data.layouts.words import said_by
from flawsight.data.listing import images_beside, list_images
from flawsight.data.names import few_names
from flawsight.data.problems import Problems
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample

TRUTH = ("ground_truth", "groundtruth", "gt", "masks", "mask")


def good_part(root: Path) -> Path | None:
    """The folder of good images that train/ holds, if it holds no other: with more it is a set of classes."""
    inside = subfolders(folder_named(root, "train", "training"))
    return inside[0] if len(inside) == 1 and said_by(inside[0].name) == "good" else None


def read_tree(root: Path, layout: str, test: str = "test", truth: Path | None = None) -> Dataset:
    """Train and test samples; without any ground_truth folder there are no masks, with it every defect needs one."""
    good = good_part(root)
    assert good is not None
    truth = truth or folder_named(root, *TRUTH)
    samples = [Sample(path, GOOD, split="train") for path in find_images(good)]
    apart = _apart(root)
    problems, notes, known = Problems(), _unused(apart), {*apart}
    for folder in subfolders(folder_named(root, test)):
        if folder == truth:
            continue
        images, place = find_images(folder), folder_named(truth, folder.name)
        masks, orphans = masks_of(images, place)
        known |= {*orphans, *(mask for several in masks.values() for mask in several)}
        if orphans:
            notes.append(f"{len(orphans)} masks belong to no image of '{folder}': {few_names(orphans)}")
        is_good = said_by(folder.name) == "good"
        if truth.is_dir() and not is_good:
            with problems.noted():
                _check_complete([image for image in images if image not in masks], place)
        label, kind = (GOOD, "good") if is_good else (DEFECTIVE, folder.name)
        samples += [Sample(path, label, masks.get(path, ()), kind) for path in images]
    problems.refuse()
    known |= {sample.path for sample in samples}
    return Dataset(samples, root, layout, notes, images_beside(root, known, layout))


def _apart(root: Path) -> dict[Path, Path]:
    """Good pictures that the data set sets apart from those to learn from and to test on, and their folder."""
    apart = folder_named(root, "validation", "val", "valid")
    return dict.fromkeys(list_images(apart).images, apart) if apart.is_dir() else {}


def _unused(apart: dict[Path, Path]) -> list[str]:
    return [
        f"{len(apart)} images in '{folder}' are not used: neither to learn from nor to test on"
        for folder in dict.fromkeys(apart.values())
    ]


def _check_complete(without: Sequence[Path], folder: Path) -> None:
    if without:
        names = ", ".join(str(image) for image in without)
        raise FlawsightError(
            f"no mask for {names}: expected {folder / without[0].stem}_mask.png{' and so on' if without[1:] else ''}; "
            "add it, or remove the ground_truth folder to go without masks"
        )
