"""The history as a table for others, and what people marked as a labelled set."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError, safe_name, written_whole
from flawsight.station.history.database import Database
from flawsight.station.history.pictures import Pictures
from flawsight.station.history.record import Record
from flawsight.station.history.rows import record_of
from flawsight.station.history.table import COLUMNS, MORE_COLUMNS, cells

_BATCH = 5000
_ALL = COLUMNS + MORE_COLUMNS
_COUNTED, _MEASURED = ("regions",), ("score", "p_value", "threshold")


def write_table(database: Database, path: Path, since: float) -> int:
    """Write records since a time as .csv or .parquet, whole or not at all; how many they are.

    FlawsightError for another suffix, where pyarrow is absent, and where the disk is full.
    """
    writers: dict[str, Callable[[Path, Iterator[list[Record]]], int]] = {".csv": _csv, ".parquet": _parquet}
    if path.suffix.lower() not in writers:
        raise FlawsightError(f"'{path}' is neither .csv nor .parquet: choose another name")
    with written_whole(path) as partial:
        return writers[path.suffix.lower()](partial, _batches(database, since))


def write_marked(database: Database, pictures: Pictures, folder: Path, bundle: str) -> int:
    """Write marked pictures of a bundle to the folders good and defective; how many they are.

    A picture that was marked several times is there once, as it was marked last. FlawsightError where the folder holds
    anything, or nothing is marked whose picture was kept.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FlawsightError(f"'{folder}' is there already and not empty: choose a new folder")
    query = (
        "SELECT id, picture, mark, sha256, suffix, max(marked_at) FROM records JOIN pictures USING (sha256) "
        "WHERE bundle = ? AND mark IS NOT NULL AND has_picture GROUP BY sha256 ORDER BY seq"
    )
    with database.reading() as connection:
        rows = connection.execute(query, (bundle,)).fetchall()
    count = 0
    try:
        for row in rows:
            data = pictures.read(row["sha256"], row["suffix"])
            if data is None:
                continue
            path = folder / row["mark"] / f"{safe_name(Path(row['picture']).stem)}_{row['id']}{row['suffix']}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            count += 1
    except OSError as error:
        raise FlawsightError(f"cannot write to '{folder}' ({error.strerror}): choose another folder") from error
    if not count:
        raise FlawsightError(f"no picture of '{bundle}' is marked and kept: mark some, or keep more of them (--keep)")
    return count


def _batches(database: Database, since: float) -> Iterator[list[Record]]:
    """All records since a time, in order; whoever writes meanwhile is not held up."""
    seq = 0
    while True:
        with database.reading() as connection:
            query = "SELECT * FROM records WHERE seq > ? AND at >= ? ORDER BY seq LIMIT ?"
            rows = connection.execute(query, (seq, since, _BATCH)).fetchall()
        if not rows:
            return
        seq = rows[-1]["seq"]
        yield [record_of(row) for row in rows]


def _csv(path: Path, batches: Iterator[list[Record]]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _ALL)
        writer.writeheader()
        for records in batches:
            writer.writerows(map(cells, records))
            count += len(records)
    return count


def _parquet(path: Path, batches: Iterator[list[Record]]) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise FlawsightError("a .parquet file takes pyarrow: pip install 'flawsight[parquet]', or write .csv") from None
    kinds: dict[str, Any] = dict.fromkeys(_COUNTED, pyarrow.int64()) | dict.fromkeys(_MEASURED, pyarrow.float64())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in _ALL])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for records in batches:
            writer.write_table(pyarrow.Table.from_pylist([cells(record) for record in records], schema))
            count += len(records)
    return count
