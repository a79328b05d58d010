"""How data sets lie on disk: one file per layout, tried from the most specific to the least."""

from pathlib import Path
from typing import Protocol

from flawsight.core import FlawsightError, Registry, unknown
from flawsight.data.files import find_images, subfolders
from flawsight.data.layouts import classes
from flawsight.data.samples import GOOD, Dataset


class Layout(Protocol):
    """What each layout's file offers."""

    HINT: str

    def recognises(self, root: Path) -> bool:
        """True if the folder (or table) is laid out this way."""

    def read(self, root: Path) -> Dataset:
        """Its samples."""


OURS = ("manifest", "visa", "btad", "mvtec", "classes", "labelled", "folder")
LAYOUTS: Registry[Layout] = Registry(
    "layout", "flawsight.layouts", {name: f"flawsight.data.layouts.{name}" for name in OURS}
)
WITH_CATEGORIES = ("visa", "btad", "mvtec")


def open_dataset(
    path: str | Path, layout: str = "auto", category: str | None = None, good_class: str | None = None
) -> Dataset:
    """Read a data set from a folder or a CSV table.

    `category` names the subfolder to read where the root holds several products; `good_class` is what the layout
    "classes" calls good. Raises FlawsightError if nothing fits or anything that the layout promises is missing.
    """
    root = _category_root(Path(path), category)
    if not root.exists():
        raise FlawsightError(f"no such file or folder: {root}; check the path")
    name = _recognise(root, layout)
    if name == "classes":
        return classes.read(root, good_class)
    if good_class is not None:
        raise FlawsightError(f"{root} has the layout {name}, which takes no good_class; leave it out")
    return LAYOUTS[name].read(root)


def good_images(
    path: str | Path, layout: str = "auto", category: str | None = None, good_class: str | None = None
) -> list[Path]:
    """The images to learn from: all of a plain folder, or the good training images of a data set; never a test image.

    Raises FlawsightError as `open_dataset` does, or if the data set has no good training image.
    """
    return [sample.path for sample in good_samples(path, layout, category, good_class)]


def good_samples(
    path: str | Path, layout: str = "auto", category: str | None = None, good_class: str | None = None
) -> Dataset:
    """The samples of `good_images`, with what was left out beside them.

    >>> samples = good_samples(good)
    >>> len(samples), samples.skipped
    (12, ())
    """
    dataset = open_dataset(path, layout, category, good_class)
    good = dataset.select("train", GOOD)
    if not good:
        raise FlawsightError(
            f"{dataset.root} (layout {dataset.layout}) has no good training image; give a folder of good images only, "
            "such as its folder good, or mark rows of a table with the split train"
        )
    return good


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
        raise FlawsightError(f"{root} has no known layout; arrange it as one of these:\n{hints}")
    return name


def _categories(root: Path) -> list[str]:
    readers = [LAYOUTS[name] for name in WITH_CATEGORIES]
    return [sub.name for sub in subfolders(root) if any(reader.recognises(sub) for reader in readers)]
