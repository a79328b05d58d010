"""The command that makes a paper's table or figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from flawsight.cli.ending import INCOMPLETE, print_json
from flawsight.cli.terminal import columns, console, mind, say
from flawsight.settings import StudySettings

if TYPE_CHECKING:
    from flawsight.studies import StudyResult


def study(settings: StudySettings, as_json: bool) -> None:
    """Make a table or figure of a paper on your data; a stopped one goes on. What cannot be measured is named."""
    if settings.list:
        _list(as_json)
        return
    from flawsight.studies import make_study

    found = make_study(settings)
    document = _document(found)
    if as_json:
        print_json(document)
    else:
        _show(document)
    if not found.is_whole:
        raise typer.Exit(INCOMPLETE)


def _list(as_json: bool) -> None:
    """A line for each study, with what it needs."""
    from flawsight.studies import STUDIES

    names = ("name", "source", "title", "needs")
    rows = [(name, one.source, one.title, one.needs) for name, one in STUDIES.items()]
    if as_json:
        print_json({"studies": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    table = columns("study", "after", "what it shows", "needs")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def _document(found: StudyResult) -> dict[str, Any]:
    """How many units there are of what status, and where the rows, the tables and the figure are."""
    from flawsight.studies import said_of_missing

    counts = found.rows["status"].value_counts()
    return {
        "units": len(found.rows),
        **{status: int(counts.get(status, 0)) for status in ("made", "failed", "missing")},
        "warnings": said_of_missing(found.rows),
        "rows": str(found.csv),
        "tables": str(found.markdown),
        "figure": None if found.figure is None else str(found.figure),
    }


def _show(document: dict[str, Any]) -> None:
    say(f"{document['made']} of {document['units']} units measured.", "bold")
    mind([one.removesuffix(".") for one in document["warnings"]])
    say(f"Tables: {document['tables']}\nRows:   {document['rows']}")
    if document["figure"]:
        say(f"Figure: {document['figure']}")
