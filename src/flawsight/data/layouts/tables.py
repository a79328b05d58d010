"""Reading a CSV table row by row, with errors that name the line."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from flawsight.core import FlawsightError


def read_rows(path: Path, required: Collection[str], optional: Collection[str] = ()) -> Iterator[tuple[str, dict]]:
    """Yield ("FILE line N", {column: stripped text}) for each row of a comma-separated UTF-8 file with a header.

    Raises FlawsightError for an unreadable file, a missing, doubled or unknown column, or a row of the wrong length.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(path, header, required, optional)
            for cells in reader:
                where = f"{path} line {reader.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise FlawsightError(f"{where}: {len(cells)} cells for {len(header)} columns; correct the row")
                yield where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    except OSError as error:
        raise FlawsightError(f"cannot read the table {path}: {error.strerror}; check the path") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise FlawsightError(f"{path} is not a UTF-8 CSV file ({error}); save it as one") from error


def _check_header(path: Path, header: list[str], required: Collection[str], optional: Collection[str]) -> None:
    wrong = [f"no column {name!r}" for name in required if name not in header]
    wrong += [f"unknown column {name!r}" for name in header if name not in {*required, *optional}]
    wrong += [f"column {name!r} twice" for name in sorted(set(header)) if header.count(name) > 1]
    if wrong:
        columns = ",".join([*required, *(f"[{name}]" for name in optional)])
        raise FlawsightError(f"{path}: {', '.join(wrong)}; the first line must name the columns {columns}")
