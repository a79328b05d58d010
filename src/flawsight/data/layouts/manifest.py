"""A CSV table that lists the images, for data in any other arrangement."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.layouts.tables import read_rows
from flawsight.data.samples import DEFECTIVE, GOOD, SPLITS, Dataset, Sample

HINT = "TABLE.csv with the columns path,label[,mask][,kind][,split]; paths relative to the table"
LABELS = {
    "": None,
    "good": GOOD,
    "normal": GOOD,
    "0": GOOD,
    "defective": DEFECTIVE,
    "anomaly": DEFECTIVE,
    "1": DEFECTIVE,
}
DEFAULT_KINDS = {None: "unknown", GOOD: "good", DEFECTIVE: "defective"}


def recognises(root: Path) -> bool:
    """True for a .csv file."""
    return root.is_file() and root.suffix.lower() == ".csv"


def read(root: Path) -> Dataset:
    """One sample per row: an empty label is unknown, an empty split is test; no image may be listed twice."""
    samples: list[Sample] = []
    listed: dict[Path, str] = {}
    for where, row in read_rows(root, required=("path", "label"), optional=("mask", "kind", "split")):
        sample = _sample(where, row, root.parent)
        resolved = sample.path.resolve()
        if resolved in listed:
            raise FlawsightError(f"{where}: {row['path']} is listed already in {listed[resolved]}; remove one row")
        listed[resolved] = where
        samples.append(sample)
    if not samples:
        raise FlawsightError(f"{root} lists no image; add one row per image below the header")
    return Dataset(samples, root, "manifest")


def _sample(where: str, row: dict[str, str], folder: Path) -> Sample:
    if row["label"].lower() not in LABELS:
        raise FlawsightError(f"{where}: label {row['label']!r} is unknown; use good, defective or nothing")
    label = LABELS[row["label"].lower()]
    kind = row.get("kind") or DEFAULT_KINDS[label]
    if (label == GOOD and kind != "good") or (label == DEFECTIVE and kind == "good"):
        raise FlawsightError(f"{where}: label {row['label']!r} contradicts kind {kind!r}; correct one of them")
    split = (row.get("split") or "test").lower()
    if split not in SPLITS:
        raise FlawsightError(f"{where}: split {row['split']!r} is unknown; use {' or '.join(SPLITS)}")
    mask = _existing(where, folder, row["mask"]) if row.get("mask") else None
    return Sample(_existing(where, folder, row["path"]), label, mask, kind, split)


def _existing(where: str, folder: Path, name: str) -> Path:
    if not name or not (folder / name).is_file():
        raise FlawsightError(f"{where}: no such file: {folder / name}; paths are relative to the table's folder")
    return folder / name
