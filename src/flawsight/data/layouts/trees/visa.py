"""VisA as it is downloaded: one category folder, with the split table beside it."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.layouts.lists.tables import Table
from flawsight.data.listing import images_beside
from flawsight.data.samples import DEFECTIVE, GOOD, SPLITS, Dataset, Sample

HINT = "CATEGORY/Data/{Images,Masks}, with split_csv/1cls.csv beside CATEGORY"
LABELS = {"normal": GOOD, "anomaly": DEFECTIVE}


def recognises(root: Path) -> bool:
    """True if Data/Images is there."""
    return (root / "Data" / "Images").is_dir()


def read(root: Path) -> Dataset:
    """The samples of one category as the one-class split table lists them; the defect kind is "anomaly"."""
    category = root.absolute()
    table = category.parent / "split_csv" / "1cls.csv"
    rows = Table(table, required=("object", "split", "label", "image", "mask")).rows()
    samples = [_sample(where, row, category.parent) for where, row in rows if row["object"] == category.name]
    if not samples:
        raise FlawsightError(f"{table} lists no image of {category.name!r}; check the category folder's name")
    known = {path.resolve() for one in samples for path in (one.path, *one.masks) if isinstance(path, Path)}
    skipped = [one for one in images_beside(root, (), "visa") if one.path.resolve() not in known]
    return Dataset(samples, root, "visa", skipped=skipped)


def _sample(where: str, row: dict[str, str], root: Path) -> Sample:
    if row["split"] not in SPLITS or row["label"] not in LABELS:
        raise FlawsightError(f"{where}: split must be train or test, and label normal or anomaly; correct the row")
    if row["label"] == "normal":
        return Sample(_existing(where, root / row["image"]), GOOD, split=row["split"])
    if not row["mask"]:
        raise FlawsightError(f"{where}: the anomaly {row['image']} has no mask; add its path")
    image, mask = _existing(where, root / row["image"]), _existing(where, root / row["mask"])
    return Sample(image, DEFECTIVE, (mask,), kind="anomaly", split=row["split"])


def _existing(where: str, path: Path) -> Path:
    if not path.is_file():
        raise FlawsightError(f"{where}: no such file: {path}; extract the data set completely")
    return path
