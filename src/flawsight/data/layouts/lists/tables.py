"""Reading a CSV table row by row, with errors that name the line."""

import codecs
import csv
import io
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path

from flawsight.core import FlawsightError

DELIMITERS = ",;\t|"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Table:
    """Rows of a table with a header: comma, semicolon, tab or bar between cells, UTF-8 or UTF-16 with a mark.

    Columns come in any order and case. `ignored` are those that nobody asked for and that are not misspelt. Raises
    FlawsightError for an unreadable file, a missing, doubled or misspelt column, or a row of the wrong length.
    """

    def __init__(self, path: Path, required: Collection[str], optional: Collection[str] = ()) -> None:
        self.path = path
        lines = _lines(path)
        self._first = int(bool(lines) and lines[0].lower().startswith("sep="))  # as spreadsheets write it
        self._lines = lines[self._first :]
        known = [*required, *optional]
        self._delimiter = max(DELIMITERS, key=lambda mark: sum(name in known for name in self._header(mark)))
        header = self._header(self._delimiter)
        while header and not header[-1]:
            header.pop()  # a delimiter at the end of the line
        self.columns = header
        self.ignored = [name for name in header if name not in known]
        self._check(required, optional)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return (f"columns of {self.path.name} not used: {', '.join(self.ignored)}",) if self.ignored else ()

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """("FILE line N", {column: stripped text}) for each row that is not empty."""
        reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        try:
            next(reader, None)
            for cells in reader:
                where = f"{self.path} line {reader.line_num + self._first}"
                if not any(cell.strip() for cell in cells):
                    continue
                while len(cells) > len(self.columns) and not cells[-1].strip():
                    cells.pop()
                if len(cells) != len(self.columns):
                    raise FlawsightError(
                        f"{where}: {len(cells)} cells for {len(self.columns)} columns; correct the row"
                    )
                yield where, {name: cell.strip() for name, cell in zip(self.columns, cells, strict=True)}
        except csv.Error as error:
            raise FlawsightError(f"{self.path} is not a UTF-8 CSV file ({error}); save it as one") from error

    def _header(self, delimiter: str) -> list[str]:
        try:
            cells = next(csv.reader(self._lines, delimiter=delimiter, strict=True), [])
        except csv.Error:
            return []
        return [name.strip().lower() for name in cells]

    def _check(self, required: Collection[str], optional: Collection[str]) -> None:
        header, known = self.columns, [*required, *optional]
        absent = [name for name in known if name not in header]
        misspelt = [name for name in self.ignored if not name or get_close_matches(name, absent, cutoff=0.75)]
        wrong = [f"no column {name!r}" for name in required if name not in header]
        wrong += [f"unknown column {name!r}" for name in misspelt]
        wrong += [f"column {name!r} twice" for name in sorted(set(header)) if header.count(name) > 1]
        if wrong:
            columns = ",".join([*required, *(f"[{name}]" for name in optional)])
            raise FlawsightError(f"{self.path}: {', '.join(wrong)}; the first line must name the columns {columns}")


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except OSError as error:
        raise FlawsightError(f"cannot read the table {path}: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise FlawsightError(f"{path} is not a UTF-8 CSV file ({error}); save it as one") from error
    return list(io.StringIO(text, newline=""))
