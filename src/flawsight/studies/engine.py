"""Making a study: the units that are not there yet, by whoever helps, each row on disk as soon as it is made."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from flawsight.core import FlawsightError, Progress, default_progress, writable_folder, write_whole
from flawsight.executors import Executor, open_executor
from flawsight.settings import StudySettings
from flawsight.studies.figures import standalone
from flawsight.studies.grid import command_of, grid_of, read_grid, same_grid, versions, write_grid
from flawsight.studies.rows import ERROR, RowStore
from flawsight.studies.study import STUDIES, Row, Study, Unit
from flawsight.studies.tables import FAILED, MADE, MISSING, said_of_missing

NOT_SHOWN = ("name", "data", "out", "list", "workers", "ray", "seeds")
OF_UNITS = {"categories", "extractor", "image_size", "seeds", "detector", "parameter"}
OF_UNITS |= {"augment", "label_preserving", "textures"}
"""Settings that a unit tells of, and parameters, which are compared by method: on all others a row may depend."""
Made = list[tuple[Unit, Row]]


@dataclass(frozen=True)
class StudyResult:
    """The rows of a study, one for each unit of its grid with its `status` (made, failed or missing), and its files.

    >>> import pandas as pd
    >>> StudyResult(pd.DataFrame({"status": ["made", "missing"]}), tmp / "x.csv", tmp / "x.md", None).is_whole
    False
    """

    rows: pd.DataFrame
    csv: Path
    markdown: Path
    figure: Path | None

    @property
    def is_whole(self) -> bool:
        """Whether every unit was measured."""
        return bool((self.rows["status"] == MADE).all())


@dataclass(frozen=True)
class MakeRows:
    """The job: rows of a few units that share network and images; where one cannot be made, its row says why."""

    study: Study
    settings: StudySettings

    def __call__(self, units: Sequence[Unit]) -> Made:
        """All at once; where that fails, each by itself."""
        try:
            return list(zip(units, self.study.measure(units, self.settings), strict=True))
        except Exception as error:  # the others are not to suffer
            reason = _reason(error)
            if len(units) == 1 and not isinstance(error, FlawsightError):
                logging.getLogger(__name__).exception("%s", units[0].text)
        if len(units) == 1:
            return [(units[0], {ERROR: reason})]
        return [made for unit in units for made in self([unit])]


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    return str(error) or kind if isinstance(error, FlawsightError) else f"{kind}: {error}"


def run_study(
    name: str, data: str | Path, out: str | Path, *, progress: Progress | None = None, **options: Any
) -> StudyResult:
    """Make a table or figure of a paper on these data; what is in `out` of an earlier, stopped run is not made again.

    `data`: a folder of labelled data sets, or one. `options` are those of the command, by name
    (`flawsight.settings.StudySettings`). Writes NAME.csv, NAME.md, NAME.json (the grid) and, for some, NAME.svg.

    >>> found = run_study("a-table-1", dataset, tmp, quick=True, most_layers=1, detector="patchcore")
    >>> found.is_whole, len(found.rows), sorted(path.suffix for path in tmp.glob("a-table-1.*"))
    (True, 1, ['.csv', '.json', '.md'])
    """
    return make_study(StudySettings.of({"name": name, "data": data, "out": out, **options}), progress)


def make_study(given: StudySettings, progress: Progress | None = None) -> StudyResult:
    """`run_study` with settings that are made already.

    >>> make_study(fs.settings.StudySettings(name="a-tabel-1", data=dataset, out=tmp))
    Traceback (most recent call last):
        ...
    flawsight...: unknown study 'a-tabel-1': did you mean a-table-1 or ...
    """
    study = STUDIES[_there(given.name, "the name of the study is missing: flawsight study --list shows them")]
    out = _there(given.out, "--out is missing: name the folder for the table")
    _there(given.data, "DATA is missing: name the folder of the data sets")
    study.check(given)
    settings = study.settled(given)
    units = list(dict.fromkeys(study.units(settings)))
    if not units:
        raise FlawsightError(f"the study '{given.name}' has nothing to measure with these options")
    out, grid = writable_folder(out), grid_of(study, settings, units)
    with _alone(out, given.name):
        path = out / f"{given.name}.json"
        is_known = same_grid(path, grid)
        store = RowStore(path.with_suffix(".csv"), list(study.columns))
        if store.rows and not is_known:
            raise FlawsightError(f"'{store.path}' has rows, but no {path.name} says of which grid: move it away")
        write_grid(path, grid, {"command": command_of(given), "versions": versions(), "device": settings.device})
        if not store.rows:
            _take_over(store, grid, units)
        try:
            with open_executor(settings.workers, settings.ray) as executor:
                _fill(store, MakeRows(study, settings), units, executor, progress or default_progress())
        finally:
            result = _write(study, given, settings, store, units)
    return result


def _there(value: Any, otherwise: str) -> Any:
    if not value:
        raise FlawsightError(otherwise)
    return value


@contextmanager
def _alone(out: Path, name: str) -> Iterator[None]:
    """Nobody else makes this study there meanwhile."""
    try:
        with FileLock(out / f".{name}.lock", timeout=0):
            yield
    except Timeout as error:
        raise FlawsightError(f"somebody else makes '{name}' in '{out}': wait, or choose another --out") from error


def _take_over(store: RowStore, grid: dict[str, Any], units: Sequence[Unit]) -> None:
    """Rows that another study of this folder has made of the very same units and settings."""
    wanted = set(units)
    for path in sorted(set(store.path.parent.glob("*.json")) - {store.path.with_suffix(".json")}):
        try:
            other = read_grid(path)
        except FlawsightError:
            continue  # no study's
        if other and _as_rows(other, grid) == _as_rows(grid, other) and path.with_suffix(".csv").exists():
            rows = RowStore(path.with_suffix(".csv"), grid["columns"], may_mend=False)  # somebody may make it right now
            found = [unit for unit in rows.rows if unit in wanted and rows.is_done(unit) and not store.is_done(unit)]
            if found:
                store.add((unit, rows.rows[unit]) for unit in found)


def _as_rows(grid: Mapping[str, Any], other: Mapping[str, Any]) -> list[Any]:
    """What the rows of a grid that are also another's depend on, beside their units."""
    settings = grid["settings"]
    both = set(settings["detector"]) & set(other["settings"]["detector"])
    parameters = {
        name: one for name, one in settings["parameter"].items() if "." not in name or name.split(".")[0] in both
    }
    others = {name: one for name, one in settings.items() if name not in OF_UNITS}
    return [grid["rows"], grid["columns"], grid["pictures"], parameters, others]


def _fill(store: RowStore, job: MakeRows, units: Sequence[Unit], executor: Executor, progress: Progress) -> None:
    """Make what is missing, and put it in the store as it is made."""
    jobs = _jobs([unit for unit in units if not store.is_done(unit)], job.study.at_once)
    count = sum(map(len, jobs))
    with progress.stage(f"Measuring {count} of {len(units)} units", count) as advance:
        for outcome in executor.map(job, jobs):
            some = jobs[outcome.number]
            store.add(outcome.value or [(unit, {ERROR: outcome.lost}) for unit in some])
            advance(len(some))


def _jobs(units: Sequence[Unit], at_once: int) -> list[tuple[Unit, ...]]:
    """Units that share what is expensive, a few at a time."""
    together = [list(group) for _, group in groupby(sorted(units, key=_by_first(units)), key=lambda unit: unit.shared)]
    return [tuple(group[at : at + at_once]) for group in together for at in range(0, len(group), at_once)]


def _by_first(units: Sequence[Unit]) -> Any:
    first: dict[Any, int] = {}
    for number, unit in enumerate(units):
        first.setdefault(unit.shared, number)
    return lambda unit: first[unit.shared]


def frame_of(study: Study, store: RowStore, units: Sequence[Unit]) -> pd.DataFrame:
    """One line for each unit of the grid, in its order: its values, the study's columns, `status` and `error`."""
    lines = []
    for unit in units:
        row = store.rows.get(unit)
        values = {name: (row[name] if row else "") for name in study.columns}
        error = row[ERROR] if row else ""
        status = MISSING if row is None else FAILED if error else MADE
        lines.append({**asdict(unit), **values, "status": status, ERROR: error})
    frame = pd.DataFrame(lines)
    for name, kind in study.columns.items():
        if kind is float:
            frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
    return frame


def _write(
    study: Study, given: StudySettings, settings: StudySettings, store: RowStore, units: Sequence[Unit]
) -> StudyResult:
    """The rows in the order of the grid, the tables and the figure, of what there is by now."""
    if store.rows:
        store.sort(units)
    frame, path, figure = frame_of(study, store, units), store.path.with_suffix(".md"), None
    is_there = bool((frame["status"] == MADE).any())
    if study.figure is not None and is_there:
        figure = write_whole(store.path.with_suffix(".svg"), standalone(study.figure(frame)))
    tables = [table.markdown for table in study.tables(frame)] if is_there else []
    picture = [f"![{study.title}]({figure.name})"] if figure else []
    write_whole(
        path, "\n\n".join([f"# {study.title}", *_said(study, given, settings, frame), *picture, *tables]) + "\n"
    )
    return StudyResult(frame, store.path, path, figure)


def _said(study: Study, given: StudySettings, settings: StudySettings, frame: pd.DataFrame) -> list[str]:
    """Where the figures come from, and what they are not the mean of."""
    of_grid = settings.model_dump(mode="json", exclude={*NOT_SHOWN, *study.unheeded})
    shown = ", ".join(f"{name} {_short(value)}" for name, value in of_grid.items() if value not in ((), [], None, {}))
    seeds = ", ".join(map(str, settings.seeds))
    versioned = ", ".join(f"{name} {text}" for name, text in versions().items())
    head = f"After {study.source}. {study.spread.format(seeds=seeds)}; figures in percent."
    missing = said_of_missing(frame)
    return [
        head,
        *(["**" + "**\n\n**".join(missing) + "**"] if missing else []),
        f"Settings: {shown}. Rows: `{given.name}.csv`. Versions: {versioned}.",
        f"```text\n{command_of(given)}\n```",
    ]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items())
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
