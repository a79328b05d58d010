"""The tree that MVTec AD and BTAD share: train/GOOD, test/{GOOD,KIND}, ground_truth/KIND."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.files import find_images, subfolders
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample


def is_tree(root: Path, good: str) -> bool:
    """True if train/ holds the folder of good images and no other: with more it is a set of classes."""
    return [folder.name for folder in subfolders(root / "train")] == [good]


def read_tree(root: Path, good: str, layout: str) -> Dataset:
    """Train and test samples; without any ground_truth folder there are no masks, with it every defect needs one."""
    samples = [Sample(path, GOOD, split="train") for path in find_images(root / "train" / good)]
    for folder in subfolders(root / "test"):
        images = find_images(folder)
        if folder.name == good:
            samples += [Sample(path, GOOD) for path in images]
        else:
            masks = _masks(root / "ground_truth", folder.name, images)
            pairs = zip(images, masks, strict=True)
            samples += [Sample(path, DEFECTIVE, mask, kind=folder.name) for path, mask in pairs]
    return Dataset(samples, root, layout)


def _masks(truth: Path, kind: str, images: list[Path]) -> list[Path] | list[None]:
    """One mask per image: NAME_mask.* as in MVTec AD, or NAME.* as in BTAD; the suffix may differ."""
    if not truth.is_dir():
        return [None] * len(images)
    by_stem: dict[str, Path] = {}
    for mask in find_images(truth / kind) if (truth / kind).is_dir() else []:
        if mask.stem in by_stem:
            raise FlawsightError(f"two masks for one image: {by_stem[mask.stem]} and {mask.name}; remove one")
        by_stem[mask.stem] = mask
    return [_mask_of(image, by_stem, truth / kind) for image in images]


def _mask_of(image: Path, by_stem: dict[str, Path], folder: Path) -> Path:
    mask = by_stem.get(f"{image.stem}_mask") or by_stem.get(image.stem)
    if mask is None:
        raise FlawsightError(
            f"no mask for {image}: expected {folder / image.stem}_mask.png; add it, or remove the ground_truth folder "
            "to go without masks"
        )
    return mask
