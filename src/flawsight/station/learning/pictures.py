"""Which pictures a new fit learns from, and which are held out so that old and new can be compared fairly."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawsight.bundle import DataInfo
from flawsight.core import FlawsightError, sha256_of
from flawsight.data import good_samples
from flawsight.station.history.history import History
from flawsight.station.history.pictures import suffix_of
from flawsight.station.history.record import Record
from flawsight.station.learning.compare import Label, Marked
from flawsight.station.learning.state import Place

ALL = 10**9


@dataclass(frozen=True)
class Gathered:
    """How many good pictures the new fit gets of the folder and of those marked, those held out, and what to say."""

    of_folder: int
    of_marked: int
    held: tuple[Marked, ...]
    notes: tuple[str, ...]


def is_held_out(sha256: str) -> bool:
    """Every second picture, by its bytes: the same picture is held out, or not, in every fit that is yet to come."""
    return bool(int(sha256[:8], 16) % 2)


def learned_from(good: Path, data: DataInfo) -> list[Path]:
    """The pictures in the folder, but those that the fit left out because they looked as if they showed a defect."""
    left_out = {one.file: one.sha256 for one in data.suspects if one.is_left_out}
    paths = [sample.path for sample in good_samples(good)]
    return [path for path in paths if path.name not in left_out or sha256_of(path) != left_out[path.name]]


def gather(
    history: History, bundle: str, paths: Sequence[Path], good: Path, place: Place, check: Callable[[], None]
) -> Gathered:
    """Lay the pictures out in the place: `good` to learn from, those at `paths` among them, `held` to compare on.

    `check` is called between pictures and may raise. FlawsightError where nothing new is there to learn.
    """
    place.good.mkdir(parents=True)
    known: set[str] = set()
    for number, path in enumerate(paths):
        check()
        known.add(sha256_of(path))
        _link(path, place.good / f"{number:06d}-{path.name}")
    marked, notes = _marked(history, bundle)
    to_learn, held, copies = 0, [], 0
    for sha256, (label, record) in marked.items():
        check()
        if sha256 in known:
            copies += 1
            continue
        learns = label == "good" and not is_held_out(sha256)
        folder = place.good if learns else place.held / label
        picture = history.picture(record.id)
        if picture is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"marked-{sha256}{suffix_of(picture)}"
        path.write_bytes(picture)
        if learns:
            to_learn += 1
        else:
            held.append(Marked(id=record.id, label=label, path=path))
    if not to_learn:
        raise FlawsightError(
            f"there is nothing new to learn from: of the pictures of '{bundle}' that are marked good and kept, every "
            "second is held out for the comparison, and none is left; mark more"
        )
    if copies:
        notes.append(f"{copies} marked pictures are in '{good}' too: the comparison leaves them out")
    notes.insert(0, f"Learned from {len(paths)} pictures of '{good}' and {to_learn} marked good")
    return Gathered(len(paths), to_learn, tuple(held), tuple(notes))


def _marked(history: History, bundle: str) -> tuple[Mapping[str, tuple[Label, Record]], list[str]]:
    """Each picture that is marked and kept, once; those marked both ways are left out, which a note says."""
    found: dict[str, tuple[Label, Record]] = {}
    both: set[str] = set()
    labels: Sequence[Label] = ("good", "defective")
    for label in labels:
        for record in history.latest(ALL, bundle=bundle, mark=label):
            if not record.has_picture:
                continue
            if found.get(record.sha256, (label,))[0] != label:
                both.add(record.sha256)
            found[record.sha256] = (label, record)
    for sha256 in both:
        del found[sha256]
    return found, [f"{len(both)} pictures are marked both good and defective: they are left out"] if both else []


def _link(path: Path, to: Path) -> None:
    try:
        to.symlink_to(path.absolute())
    except OSError:  # Windows asks for a privilege
        shutil.copyfile(path, to)
