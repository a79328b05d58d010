"""What the commands of the station say to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawsight.cli.terminal import say

if TYPE_CHECKING:
    from flawsight.station.doctor import Diagnosis

_COLOURS: dict[str, str | None] = {"ok": "green", "warning": "yellow", "failed": "red"}


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """A line for each check, what to do below it, and whether a station can run here."""
    for check in diagnosis.checks:
        say(f"{check.state:<8} {check.name}: {check.found}", _COLOURS[check.state])
        if check.remedy:
            say(f"{'':<8} to do: {check.remedy}")
    warnings, failed = diagnosis.count("warning"), diagnosis.count("failed")
    if failed:
        say(f"A station would not run well here. Checks that failed: {failed}; warnings: {warnings}.", "bold red")
    else:
        say(f"A station can run here{f'. Warnings: {warnings}' if warnings else ''}.", "bold")
