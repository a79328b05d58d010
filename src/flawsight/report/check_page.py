"""The page of `flawsight check`: one HTML file that opens offline."""

from __future__ import annotations

from pathlib import Path

from flawsight.core import readable, writable_folder, write_whole
from flawsight.health import FolderCheck
from flawsight.report.findings import shown_findings, shown_typical
from flawsight.report.pages import render

PAGE = "check.html"


def write_check_page(out: Path, checked: FolderCheck, good: Path | tuple[Path, ...]) -> Path:
    """Write check.html into a folder, which is made if absent; `good` is what was checked.

    >>> checked = fs.health.check_folder(good)
    >>> write_check_page(tmp, checked, good).name
    'check.html'
    """
    writable_folder(out)
    return write_whole(out / PAGE, render_check_page(checked, good))


def render_check_page(checked: FolderCheck, good: Path | tuple[Path, ...]) -> str:
    """The page's HTML.

    >>> page = render_check_page(fs.health.check_folder(good), good)
    >>> page[:15], str(good) in page
    ('<!DOCTYPE html>', False)
    """
    report, folder = checked.report, good if isinstance(good, Path) else None
    return render(
        "check.html.jinja",
        name=readable(folder.resolve().name) if folder else "Good pictures",
        pictures=report.pictures,
        counts={severity: report.count(severity) for severity in ("error", "warning", "remark")},
        findings=shown_findings(report, checked.picture, folder),
        typical=shown_typical(report, checked.picture),
    )
