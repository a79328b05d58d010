"""How data sets lie on disk: one file per layout, tried from the most specific to the least."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from flawsight.core import FlawsightError, Registry, unknown
from flawsight.data.files import find_images, subfolders
from flawsight.data.layouts.folders import classes
from flawsight.data.layouts.folders.folder import telling
from flawsight.data.listing import Skipped, left_out, list_images
from flawsight.data.names import few_names
from flawsight.data.samples import GOOD, Dataset


class Layout(Protocol):
    """What each layout's file offers."""

    HINT: str

    def recognises(self, root: Path) -> bool:
        """True if the folder (or file) is laid out this way."""

    def read(self, root: Path) -> Dataset:
        """Its samples."""


# Lists first, for they name their images; the last takes any folder of images.
PLACES = (
    "lists.manifest", "lists.lookout", "lists.coco", "lists.cvat",
    "trees.visa", "trees.mvtec_ad_2", "trees.loco", "trees.btad", "trees.mvtec",
    "folders.classes", "lists.labelme", "folders.labelled", "folders.folder",
)  # fmt: skip
OURS = {place.partition(".")[2]: f"flawsight.data.layouts.{place}" for place in PLACES}
LAYOUTS: Registry[Layout] = Registry("layout", "flawsight.layouts", OURS)
WITH_CATEGORIES = [place.partition(".")[2] for place in PLACES if place.startswith("trees.")]
LISTS = (".csv", ".tsv", ".json", ".jsonl", ".manifest", ".xml")


def open_dataset(
    path: str | Path, layout: str = "auto", category: str | None = None, good_class: str | None = None
) -> Dataset:
    """Read a data set from a folder, or from a file that lists its images.

    `category` names the subfolder to read where the root holds several products; `good_class` is what the layout
    "classes" calls good. Raises FlawsightError if nothing fits or anything that the layout promises is missing.

    >>> open_dataset(dataset)
    Dataset(mvtec at '...': 12 train, 6 test; 15 good, 3 defective; with masks)
    """
    root = _category_root(Path(path), category)
    if not root.exists():
        raise FlawsightError(f"no such file or folder: {root}; check the path")
    name = _recognise(root, layout)
    if name != "classes" and good_class is not None:
        raise FlawsightError(f"{root} has the layout {name}, which takes no good_class; leave it out")
    found = classes.read(root, good_class) if name == "classes" else LAYOUTS[name].read(root)
    skipped = (*found.skipped, *_skipped(root, name))
    return Dataset(found, root, name, (*found.notes, *left_out(skipped)), skipped)


def good_samples(
    path: str | Path, layout: str = "auto", category: str | None = None, good_class: str | None = None
) -> Dataset:
    """The samples to learn from, with notes on what was left out.

    All of a plain folder, or the good training images of a data set; of a data set that is not parted into training
    and test, its good images. Raises FlawsightError as `open_dataset` does, or if there is no good image to learn from.

    >>> good_samples(dataset)
    Dataset(mvtec at '...': 12 train, 0 test; 12 good, 0 defective; no masks)
    """
    dataset = open_dataset(path, layout, category, good_class)
    is_parted = bool(dataset.select("train"))
    good = dataset.select("train" if is_parted else None, GOOD)
    if not good:
        raise FlawsightError(
            f"{dataset.root} (layout {dataset.layout}) has no good training image; give a folder of good images only, "
            "such as its folder good, or mark rows of a table with the split train"
        )
    notes = dataset.notes if is_parted else (_alone(dataset, good), *dataset.notes)
    return Dataset(good, dataset.root, dataset.layout, notes, dataset.skipped)


def find_categories(path: str | Path, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The categories of a folder of data sets, or these of them; the folder's own name where it is one data set.

    Raises FlawsightError for a name that is none of them, or where there is no such folder.

    >>> find_categories(dataset) == (dataset.name,)
    True
    """
    root = Path(path)
    if not root.exists():
        raise FlawsightError(f"no such file or folder: {root}; check the path")
    for name in names:
        _category_root(root, name)
    return tuple(names) or tuple(_categories(root)) or (root.absolute().name,)


def good_images(
    path: str | Path, layout: str = "auto", category: str | None = None, good_class: str | None = None
) -> list[Path]:
    """The paths of `good_samples`.

    >>> len(good_images(dataset)), len(good_images(good))
    (12, 12)
    """
    return [sample.path for sample in good_samples(path, layout, category, good_class)]


def _category_root(path: Path, category: str | None) -> Path:
    if category is None or (path.absolute().name == category and not (path / category).is_dir()):
        return path
    if not (path / category).is_dir():
        known = ", ".join(sub.name for sub in subfolders(path)) or "none"
        raise FlawsightError(f"{path} has no category {category!r}; its folders are: {known}")
    return path / category


def _recognise(root: Path, layout: str) -> str:
    """The name of the layout to read the root with."""
    if layout not in ("auto", *LAYOUTS):
        raise unknown("layout", layout, ["auto", *LAYOUTS])
    # Other packages' first: our last takes any folder of images.
    names = sorted(LAYOUTS, key=lambda name: name in OURS) if layout == "auto" else [layout]
    candidates = {name: LAYOUTS[name] for name in names}
    name = next((name for name, reader in candidates.items() if reader.recognises(root)), None)
    # Categories are looked for before a plain folder is believed, which would take all their images for good.
    categories = _categories(root) if name in (None, "folder") else []
    if categories:
        raise FlawsightError(f"{root} holds several categories; give category=, one of: {', '.join(categories)}")
    if name is None:
        if root.is_dir():
            find_images(root, recursive=True)  # where there is no image at all, say that
        hints = "\n".join(f"  {name}: {reader.HINT}" for name, reader in candidates.items())
        why = f" (not all images are good, as {few_names(telling(root))} say)" if telling(root) else ""
        raise FlawsightError(f"{root} has no known layout{why}; arrange it as one of these:\n{hints}")
    return name


def _categories(root: Path) -> list[str]:
    readers = [LAYOUTS[name] for name in WITH_CATEGORIES]
    return [sub.name for sub in subfolders(root) if any(reader.recognises(sub) for reader in readers)]


def _alone(dataset: Dataset, good: Dataset) -> str:
    """What the good images of a data set are learned without."""
    places = few_names(sorted({sample.path.parent for sample in good}))
    rest = [sample for sample in dataset if sample.label != GOOD]
    if not rest:
        return f"all {len(good)} images are good, and nothing says which are to test on"
    kinds = few_names(sorted({str(sample.kind) for sample in rest}))
    return (
        f"only the {len(good)} good images ({places}) of '{dataset.root}' are learned from, and {len(rest)} others "
        f"({kinds}) left out; the same good images say too much good of the inspector when it is evaluated"
    )


def _skipped(root: Path, layout: str) -> tuple[Skipped, ...]:
    """What lies in the folder but is not read."""
    if not root.is_dir():
        return ()
    skipped = list_images(root).skipped
    return tuple(one for one in skipped if f"lists.{layout}" not in PLACES or one.path.suffix.lower() not in LISTS)
