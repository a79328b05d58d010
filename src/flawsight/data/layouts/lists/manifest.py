"""A CSV table that lists the images, for data in any other arrangement."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.layouts.lists.located import Located
from flawsight.data.layouts.lists.tables import Table
from flawsight.data.layouts.words import said_by
from flawsight.data.problems import Problems
from flawsight.data.samples import DEFECTIVE, GOOD, SPLITS, Dataset, Sample

HINT = "TABLE.csv with the columns path,label[,mask][,kind][,split]; paths relative to the table"
LABELS = {"": None, "0": GOOD, "false": GOOD, "1": DEFECTIVE, "true": DEFECTIVE}
WORDS = {"good": GOOD, "bad": DEFECTIVE}
SPLIT_NAMES = {"": "test", "training": "train", "testing": "test"}
DEFAULT_KINDS = {None: "unknown", GOOD: "good", DEFECTIVE: "defective"}
REQUIRED, OPTIONAL = ("path", "label"), ("mask", "kind", "split")


def recognises(root: Path) -> bool:
    """True for a table, or a folder with one in which images are listed."""
    return table_in(root) is not None


def read(root: Path) -> Dataset:
    """One sample per row: an empty label is unknown, an empty split is test; several masks are parted by `|`.

    No image may be listed twice.
    """
    path = table_in(root)
    if path is None:
        raise FlawsightError(f"{root} holds no table of images; it must have the columns path,label")
    table, files = Table(path, REQUIRED, OPTIONAL), Located(path.parent)
    samples: list[Sample] = []
    listed: dict[Path, str] = {}
    problems = Problems()
    for where, row in table.rows():
        with problems.noted():
            sample = _sample(where, row, files)
            resolved = sample.path.resolve()
            if resolved in listed:
                raise FlawsightError(f"{where}: {row['path']} is listed already in {listed[resolved]}; remove one row")
            listed[resolved] = where
            samples.append(sample)
    problems.refuse()
    if not samples:
        raise FlawsightError(f"{path} lists no image; add one row per image below the header")
    return Dataset(samples, root, "manifest", (*table.notes, *files.notes))


def table_in(root: Path) -> Path | None:
    """The table: the file itself, or the only .csv of a folder that has the columns."""
    if root.is_file():
        return root if root.suffix.lower() in (".csv", ".tsv") else None
    tables = [path for path in sorted(root.glob("*.csv")) if path.is_file()] if root.is_dir() else []
    return tables[0] if len(tables) == 1 and _lists_images(tables[0]) else None


def _lists_images(path: Path) -> bool:
    try:
        return set(REQUIRED) <= set(Table(path, (), (*REQUIRED, *OPTIONAL)).columns)
    except FlawsightError:
        return False


def _sample(where: str, row: dict[str, str], files: Located) -> Sample:
    label = _label(where, row["label"])
    kind = row.get("kind") or DEFAULT_KINDS[label]
    if (label == GOOD and kind != "good") or (label == DEFECTIVE and kind == "good"):
        raise FlawsightError(f"{where}: label {row['label']!r} contradicts kind {kind!r}; correct one of them")
    split = row.get("split", "").lower()
    split = SPLIT_NAMES.get(split, split)
    if split not in SPLITS:
        raise FlawsightError(f"{where}: split {row['split']!r} is unknown; use {' or '.join(SPLITS)}")
    masks = tuple(files.find(where, name.strip()) for name in row.get("mask", "").split("|") if name.strip())
    return Sample(files.find(where, row["path"]), label, masks, kind, split)


def _label(where: str, text: str) -> int | None:
    """0 and 1, or a word for good or bad."""
    if text.lower() in LABELS:
        return LABELS[text.lower()]
    word = said_by(text)
    if word not in WORDS:
        raise FlawsightError(f"{where}: label {text!r} is unknown; use good, defective or nothing")
    return WORDS[word]
