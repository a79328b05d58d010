"""Findings on good pictures, as pages show them: suspects beside a usual picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flawsight.core import readable
from flawsight.defects import Image
from flawsight.health import Finding, HealthReport
from flawsight.report.data_uri import data_uri
from flawsight.report.pages import without_folders

Picture = Callable[[Path], Image | None]
MOST_SHOWN = 8
MOST_OF_A_GROUP = 3
SIDE = 200
_BESIDE_USUAL = ("stranger", "sharpness", "brightness", "thumbnails", "size", "proportions", "blank", "format")


def shown_findings(report: HealthReport, picture: Picture, folder: Path | None) -> list[dict[str, Any]]:
    """What the template needs of each finding; files are named as they lie below `folder`."""
    return [_shown(one, picture, folder) for one in report.findings]


def shown_typical(report: HealthReport, picture: Picture) -> str:
    """A usual picture as a data address, empty where there is none."""
    image = None if report.typical is None else picture(report.typical)
    return "" if image is None else data_uri(image, SIDE)


def _shown(one: Finding, picture: Picture, folder: Path | None) -> dict[str, Any]:
    groups = [_group(group, picture, folder) for group in one.groups[:MOST_SHOWN]]
    pictures = [] if one.groups else _pictures(one.files[:MOST_SHOWN], picture, folder)
    return {
        "title": one.title,
        "severity": one.severity,
        "text": _local(one.text, folder),
        "advice": one.advice,
        "groups": groups,
        "pictures": pictures,
        "has_usual": one.kind in _BESIDE_USUAL,
        "files": [_name(path, folder) for path in one.files],
        "is_named": all(path.name in one.text for path in one.files),
        "shown": sum(len(group["pictures"]) for group in groups) + len(pictures),
    }


def _group(group: Sequence[Path], picture: Picture, folder: Path | None) -> dict[str, Any]:
    few = group[:MOST_OF_A_GROUP]
    more = f" and {len(group) - len(few)} more" if len(group) > len(few) else ""
    names = " = ".join(_name(path, folder) for path in few)
    return {"pictures": _pictures(few, picture, folder), "caption": names + more}


def _pictures(paths: Sequence[Path], picture: Picture, folder: Path | None) -> list[tuple[str, str]]:
    found = ((path, picture(path)) for path in paths)
    return [(_name(path, folder), data_uri(image, SIDE)) for path, image in found if image is not None]


def _name(path: Path, folder: Path | None) -> str:
    is_below = folder is not None and path.is_relative_to(folder)
    return readable(path.relative_to(folder).as_posix() if folder is not None and is_below else path.name)


def _local(text: str, folder: Path | None) -> str:
    """Without the folder's own place."""
    return without_folders(text if folder is None else text.replace(f"{folder}/", ""))
