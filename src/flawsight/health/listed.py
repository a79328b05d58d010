"""Which files of a folder are looked at, and which are left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data import Skipped, good_samples, left_out, list_images
from flawsight.data.layouts.folders.folder import telling
from flawsight.data.layouts.words import said_by
from flawsight.data.listing import OWN, is_folder
from flawsight.health.findings import Finding
from flawsight.settings import CheckSettings

Listed = tuple[list[Path], list[Finding], tuple[Skipped, ...]]


def good_in(settings: CheckSettings) -> Listed:
    """The pictures that a fit would learn from, what it takes for granted, and what lies beside and is left out."""
    if not isinstance(settings.good, Path):
        return sorted(settings.good), [], ()
    try:
        samples = good_samples(settings.good, settings.layout, settings.category, settings.good_class)
    except FlawsightError as error:
        return _of_a_mess(settings.good, settings.layout, error)
    said_of_skipped = left_out(samples.skipped)
    notes = [note for note in samples.notes if note not in said_of_skipped]
    found = [Finding(_kind(note), "remark", (), note, "") for note in notes]
    return sorted(sample.path for sample in samples), found, samples.skipped


def _kind(note: str) -> str:
    return "layout" if note.startswith("only the ") else "taken_for_granted"


def _of_a_mess(folder: Path, layout: str, error: FlawsightError) -> Listed:
    """Pictures of a folder that a fit refuses, because folders in it are called defective, masks or tests.

    The others are looked at all the same, so that nobody has to mend one thing a run.
    """
    apart = [one for one in telling(folder) if said_by(one.name) != "good"] if layout == "auto" else []
    listing = list_images(folder, leave_out=apart) if apart and is_folder(folder) else None
    if listing is None or not listing.images:
        raise error
    advice = "move them out, or arrange all as a data set with train/good"
    skipped = tuple(one for one in listing.skipped if one.path not in apart)
    names = ", ".join(f"'{one.relative_to(folder).as_posix()}'" for one in apart)
    text = f"beside good pictures lie folders whose names say that theirs are none: {names}"
    return list(listing.images), [Finding("layout", "error", tuple(apart), text, advice)], skipped


def left_out_findings(skipped: Sequence[Skipped]) -> list[Finding]:
    """All that was left out, by reason: a warning for what may be a picture, a remark for texts and the like."""
    by_reason, clutter = defaultdict[str, list[Path]](list), list[Path]()
    for one in skipped:
        (by_reason[one.reason] if left_out([one]) else clutter).append(one.path)
    found = []
    for reason, paths in by_reason.items():
        count = "1 file is" if len(paths) == 1 else f"{len(paths)} files are"
        if reason == OWN:
            advice = "keep results in a folder of their own"
            found.append(Finding("heat_maps", "warning", tuple(paths), f"{count} left out: {reason}", advice))
        else:
            found.append(Finding("left_out", "warning", tuple(paths), f"{count} left out: {reason}", _ADVICE))
    if clutter:
        count = "1 other file is no picture" if len(clutter) == 1 else f"{len(clutter)} other files are no pictures"
        found.append(Finding("left_out", "remark", tuple(clutter), count, ""))
    return found


_ADVICE = "nothing to do, unless it should be learned from"
