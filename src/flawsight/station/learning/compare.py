"""Old against new: two inspectors on marked pictures that neither has learned from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flawsight.core import FlawsightError
from flawsight.data import MAX_PIXELS
from flawsight.inspection import Inspector
from flawsight.metrics import auroc

Label = Literal["good", "defective"]
BIASED = (
    "Most of these pictures are kept and marked because the old inspector stopped them, or nearly did. They tell which "
    "of the two is better on such pictures, not how often either stops good parts on the line"
)
FEW = 20


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Marked(_Frozen):
    """A picture's file, what people say of it, and the id of its record."""

    id: str
    label: Label
    path: Path


class Side(_Frozen):
    """One inspector: its threshold with the stated rate, and what it does with the marked pictures.

    `stopped_good` of the good ones are false alarms, `found_defective` of the defective ones are found. `auroc` is None
    unless both kinds are there.
    """

    threshold: float
    stated_rate: float
    stopped_good: int
    found_defective: int
    auroc: float | None


class Flip(_Frozen):
    """A picture of which the two say different things."""

    id: str
    label: Label
    old: Label
    new: Label


class Comparison(_Frozen):
    """Both inspectors on the same `n_good` and `n_defective` pictures; `notes` say what these figures do not."""

    old: Side
    new: Side
    n_good: int
    n_defective: int
    flips: tuple[Flip, ...] = ()
    notes: tuple[str, ...] = ()

    def rate(self, side: Side) -> float | None:
        """The share of the good pictures that are stopped; None where there is none."""
        return side.stopped_good / self.n_good if self.n_good else None

    def detection(self, side: Side) -> float | None:
        """The share of the defective pictures that are found; None where there is none."""
        return side.found_defective / self.n_defective if self.n_defective else None


def compare(
    old: Inspector,
    new: Inspector,
    marked: Sequence[Marked],
    notes: Sequence[str] = (),
    max_pixels: int = MAX_PIXELS,
) -> Comparison:
    """Inspect the marked pictures, that neither may have learned from, with both. What one cannot read counts for none.

    FlawsightError where no picture can be compared.
    """
    scores: list[tuple[float, float]] = []
    used: list[Marked] = []
    unreadable: list[str] = []
    for one in marked:
        try:
            pair = tuple(_score(inspector, one.path, max_pixels) for inspector in (old, new))
        except FlawsightError as error:
            unreadable.append(str(error))
            continue
        scores.append((pair[0], pair[1]))
        used.append(one)
    if not used:
        reason = f" ({unreadable[0]})" if unreadable else ""
        raise FlawsightError(f"there is no marked picture to compare the two on{reason}: mark more, then learn again")
    labels = [one.label for one in used]
    sides = [_side(inspector, [pair[at] for pair in scores], labels) for at, inspector in enumerate((old, new))]
    n_good = labels.count("good")
    return Comparison(
        old=sides[0],
        new=sides[1],
        n_good=n_good,
        n_defective=len(labels) - n_good,
        flips=_flips(used, scores, (old.threshold, new.threshold)),
        notes=(*notes, *_caveats(n_good, len(labels) - n_good, unreadable)),
    )


def _score(inspector: Inspector, path: Path, max_pixels: int) -> float:
    return inspector.inspect(path, max_pixels).score


def _side(inspector: Inspector, scores: Sequence[float], labels: Sequence[Label]) -> Side:
    stopped = [label for score, label in zip(scores, labels, strict=True) if score > inspector.threshold]
    return Side(
        threshold=inspector.threshold,
        stated_rate=inspector.manifest.operating_point.rate,
        stopped_good=stopped.count("good"),
        found_defective=stopped.count("defective"),
        auroc=auroc(scores, [int(label == "defective") for label in labels]) if len(set(labels)) == 2 else None,
    )


def _flips(
    used: Sequence[Marked], scores: Sequence[tuple[float, float]], thresholds: tuple[float, float]
) -> tuple[Flip, ...]:
    found = []
    for one, pair in zip(used, scores, strict=True):
        old, new = (_verdict(score > limit) for score, limit in zip(pair, thresholds, strict=True))
        if old != new:
            found.append(Flip(id=one.id, label=one.label, old=old, new=new))
    return tuple(found)


def _verdict(is_defective: bool) -> Label:
    return "defective" if is_defective else "good"


def _caveats(n_good: int, n_defective: int, unreadable: Sequence[str]) -> list[str]:
    found = [BIASED]
    for count, kind, rate in ((n_good, "good", "false alarms"), (n_defective, "defective", "detections")):
        if not count:
            found.append(f"No picture marked {kind} could be compared: of {rate} nothing is known")
        elif count < FEW:
            found.append(f"Only {count} pictures marked {kind}: one more or less of them is {1 / count:.0%}")
    if unreadable:
        found.append(f"{len(unreadable)} pictures could not be inspected by both; the first: {unreadable[0]}")
    return found
