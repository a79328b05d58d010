"""The rows of a study on disk: whole lines, there for good as soon as they are made."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import FlawsightError, readable, write_whole
from flawsight.studies.study import UNIT, Unit

ERROR = "error"
"""The column that says why a unit has no figures."""


class RowStore:
    """A CSV file with a row for each unit; those without an error are done. A last line that was cut off is ignored.

    `may_mend`: and removed from the file, so that rows can be added.
    """

    def __init__(self, path: Path, columns: Sequence[str], may_mend: bool = True) -> None:
        self.path = path
        self._may_mend = may_mend
        self._names = (*UNIT, *columns, ERROR)
        self.rows: dict[Unit, dict[str, str]] = {}
        for number, row in enumerate(self._read() if path.exists() else (), 2):
            try:
                if None in row or None in row.values():
                    raise ValueError("too many or too few values")
                self.rows[Unit.of(row)] = row
            except (ValueError, TypeError) as error:
                raise FlawsightError(f"'{path}' is damaged: line {number} is no row; remove that line") from error

    def _read(self) -> list[dict[str, str]]:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data) and self._may_mend:
            write_whole(self.path, whole)
        lines = csv.DictReader(io.StringIO(whole.decode("utf-8", "replace"), newline=""))
        if whole and tuple(lines.fieldnames or ()) != self._names:
            raise FlawsightError(f"'{self.path}' has other columns than this study: move it away, or use another --out")
        return list(lines)

    def is_done(self, unit: Unit) -> bool:
        """Whether the unit was measured; one that failed is tried again."""
        return unit in self.rows and not self.rows[unit][ERROR]

    def add(self, rows: Iterable[tuple[Unit, Mapping[str, Any]]]) -> None:
        """Append rows; when this returns they are on the disk."""
        made = [{**asdict(unit), **{name: _text(value) for name, value in row.items()}} for unit, row in rows]
        is_new = not self.path.exists() or not self.path.stat().st_size
        with self.path.open("ab") as file:
            file.write(self._lines(made, is_new).encode())
            file.flush()
            os.fsync(file.fileno())
        for row in made:
            self.rows[Unit.of(row)] = {name: str(row.get(name, "")) for name in self._names}

    def sort(self, units: Sequence[Unit]) -> None:
        """Write the file anew in the order of these units, whole or not at all."""
        write_whole(self.path, self._lines([self.rows[unit] for unit in units if unit in self.rows], True))

    def _lines(self, rows: Iterable[Mapping[str, Any]], with_head: bool) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._names, restval="", lineterminator="\n")
        if with_head:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _text(value: Any) -> str:
    """Six digits tell more than any study; a text is one line."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else " ".join(readable(value).split())
