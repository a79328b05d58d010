"""Tables and JSON lines to which verdicts are appended, each exactly once, whenever the station is killed."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from flawsight.core import FlawsightError
from flawsight.station.history import Record
from flawsight.station.history.table import COLUMNS, cells
from flawsight.station.outbox.sink import SinkDown, document

_HEAD = 40
"""So many bytes of a line tell whose it is: the id comes first."""
_BLOCK = 1 << 16


class LinesFile:
    """A file to which lines are appended. Its last lines say what of a killed station's work is there already."""

    name = ""
    at_once = 200

    def __init__(self, path: Path) -> None:
        self.path = path
        self._there: set[str] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FlawsightError(f"cannot write to '{path.parent}' ({error.strerror}): choose another place") from error

    def header(self) -> bytes:
        """The first line, or nothing."""
        return b""

    def line(self, record: Record) -> bytes:
        """One line, its end included."""
        raise NotImplementedError

    def id_of(self, line: bytes) -> str:
        """The id in a line; empty where there is none."""
        raise NotImplementedError

    def send(self, records: Sequence[Record]) -> None:
        """Append those that are not there, all on the disk when this returns."""
        if not records:
            return
        lines = {record.id: self.line(record) for record in records}
        try:
            with self.path.open("a+b") as file:
                if self._there is None or not self._starts_well(file):
                    self._there = self._look(file, lines.values())
                new = [line for id, line in lines.items() if id not in self._there]
                start = self.header() if not file.seek(0, os.SEEK_END) else b""
                file.write(start + b"".join(new))
                file.flush()
                os.fsync(file.fileno())
        except PermissionError:
            self._there = None
            raise SinkDown(f"'{self.path}' cannot be written: is it open in another program?") from None
        except OSError as error:  # some lines may be there: the next look tells
            self._there = None
            raise SinkDown(f"'{self.path}' cannot be written ({error.strerror})") from error
        self._there = set(lines)

    def close(self) -> None:
        """Nothing is left open."""

    def _starts_well(self, file: BinaryIO) -> bool:
        """Whether it ends in a whole line, as we left it."""
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return True
        file.seek(size - 1)
        return file.read(1) == b"\n"

    def _look(self, file: BinaryIO, wanted: Iterable[bytes]) -> set[str]:
        """The ids in the last lines; a last line that we began and did not end is cut off."""
        header = self.header()
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        first = file.readline(len(header)) if header else b""
        if (
            first.strip(b"\r\n\0")
            and first != header
            and (first.endswith(b"\n") or not header.startswith(first.rstrip(b"\0")))
        ):
            raise SinkDown(f"'{self.path}' is a table with other columns: move it away", is_refused=True)
        tail = _tail(file, self.at_once + 1)
        whole, _, cut = tail.rpartition(b"\n")
        if cut:
            begun = [header, *wanted]
            ours = cut.rstrip(b"\0")[:_HEAD]  # a power cut leaves zeros
            if not ours or any(line[:_HEAD].startswith(ours) for line in begun):
                file.truncate(size - len(cut))
            else:  # somebody else's, who left out the end of the line
                file.write(b"\n")
        return {self.id_of(line) for line in whole.split(b"\n")}


class CsvFile(LinesFile):
    """A table as `inspect` writes it, with ids and times; spreadsheets may read it."""

    name = "csv"

    def header(self) -> bytes:
        """The names of the columns."""
        return _csv_line(COLUMNS)

    def line(self, record: Record) -> bytes:
        """One row."""
        values = cells(record)
        return _csv_line([values[name] for name in COLUMNS])

    def id_of(self, line: bytes) -> str:
        """What is before the first comma."""
        return line.partition(b",")[0].decode(errors="replace")


class JsonLines(LinesFile):
    """A JSON document in each line."""

    name = "jsonl"

    def line(self, record: Record) -> bytes:
        """One document."""
        return document(record).encode() + b"\n"

    def id_of(self, line: bytes) -> str:
        """The document's `id`."""
        try:
            return str(json.loads(line)["id"])
        except (ValueError, KeyError, TypeError):
            return ""


def _csv_line(values: Sequence[object]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue().encode()


def _tail(file: BinaryIO, lines: int) -> bytes:
    """The end of a file, with at least so many line ends if it has them."""
    start = file.seek(0, os.SEEK_END)
    tail = b""
    while start > 0 and tail.count(b"\n") <= lines:
        length = min(_BLOCK, start)
        start -= length
        file.seek(start)
        tail = file.read(length) + tail
    return tail
