"""Pictures that are not as the others: in light, sharpness, size, proportions, or altogether."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flawsight.data import MIN_GOOD
from flawsight.health.facts import DETAILS, PictureFacts
from flawsight.health.findings import Finding

FEWEST = MIN_GOOD
"""With fewer pictures there is no usual one."""
FAR = 5.0
"""Robust deviations from the median: of 400 sets of 8 to 500 normal values one holds one as far; real sets reach 4."""
MOST = 0.2
"""A larger share of the pictures is no exception but another kind of good ones."""
LEAST = {
    "brightness": 5.0,
    "warmth": 0.008,
    "tint": 0.008,
    "relief": 0.08,
    "detail": 0.05,
    "direction": 0.1,
    "likeness": 0.03,
    "proportions": 0.01,
    "area": 0.28,
}
"""No deviation counts as smaller than this, so that a very even set does not alarm: FAR times it is what a person
would notice. Brightness in grey levels (a tenth of the range), warmth and tint in shares of the brightness (4 %), the
others in logarithms (detail a quarter; proportions 5 %, as the reader of pictures allows; area 4 times, that is half
of both sides)."""
SMALL = 1 / 4
"""Share of the usual area from which on a picture is a thumbnail: half of both sides."""
_LOOKS = ("brightness", "warmth", "tint", "relief", "direction")
_DETAILS = [f"{one} to {DETAILS[-1]}" for one in DETAILS[:-1]]
_STRANGE = ("warmth", "tint", "relief", "direction", *_DETAILS)
_SEEN = 1.0
"""Grey levels from which on detail is more than rounding: small pictures that were enlarged have none that is finer."""


def outliers(facts: Sequence[PictureFacts]) -> list[Finding]:
    """Findings on single pictures, each picture in the first that fits."""
    blank = _blank(facts)
    seen = [one for one in facts if one.path not in blank]
    found = [*_said_of_blank(facts, blank), *_of_shape(seen)]
    if len(seen) < FEWEST:
        return found
    # Whatever is small is soft as well, and a usual picture is one of those of the usual size.
    small = {path for one in found if one.kind in ("thumbnails", "size") for path in one.files}
    kept = [one for one in seen if one.path not in small]
    return [*found, *_of_looks(kept)] if len(kept) >= FEWEST else found


def typical(facts: Sequence[PictureFacts]) -> Path | None:
    """The picture that is nearest to the median in everything."""
    if not facts:
        return None
    far = np.stack(list(_deviations(facts).values()))
    return facts[int(np.argmin(np.abs(far).max(axis=0)))].path


def deviations(values: np.ndarray, least: float) -> np.ndarray:
    """How far each value is from the median, in deviations of its own side, and fewer of them in few pictures.

    Each side has its own deviation, for brightness and the like are skewed, but at most twice the common one: where all
    are equal but for one, that one would be its side.
    """
    off = values - np.median(values)
    spread = 1.4826 * float(np.median(np.abs(off)))
    sides = [1.4826 * float(np.median(np.abs(side))) if side.size else 0.0 for side in (off[off < 0], off[off > 0])]
    low, high = (min(max(side, spread), 2 * spread) for side in sides)
    # Of few pictures the median absolute deviation is itself uncertain.
    return off / np.maximum(np.where(off < 0, low, high), least) / (1 + 5 / len(values))


def _deviations(facts: Sequence[PictureFacts]) -> dict[str, np.ndarray]:
    rows = {name: deviations(_values(facts, name), LEAST[name]) for name in _LOOKS}
    rows["likeness"] = deviations(_likeness(np.stack([one.thumbnail for one in facts])), LEAST["likeness"])
    coarsest = np.log(_values(facts, DETAILS[-1]) + _SEEN)
    for name, detail in zip(_DETAILS, DETAILS, strict=False):
        values = _values(facts, detail)
        if np.median(values) >= _SEEN:
            # A ratio, for contrast is another matter.
            rows[name] = deviations(np.log(values + _SEEN / 10) - coarsest, LEAST["detail"])
    return rows


def _values(facts: Sequence[PictureFacts], name: str) -> np.ndarray:
    return np.array([one.looks[name] for one in facts])


def _likeness(thumbnails: np.ndarray) -> np.ndarray:
    """How much of each picture is that of the usual one: high for parts in a fixture, low for textures."""
    rows = thumbnails.reshape(len(thumbnails), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)
    usual = np.median(rows, axis=0)
    return rows @ (usual / max(float(np.linalg.norm(usual)), 1e-6))


def _of_looks(facts: Sequence[PictureFacts]) -> list[Finding]:
    """Blurred, another product, or another light."""
    far = _deviations(facts)
    # Blur takes detail at every scale; another subject has less at one and more at another.
    details = np.stack([far[name] for name in _DETAILS if name in far] or [np.zeros(len(facts))])
    is_blurred = (details.mean(axis=0) < -FAR) & (details < 0).all(axis=0)
    strange = np.stack([*(np.abs(far[name]) for name in _STRANGE if name in far), -far["likeness"]])
    # One measure may be odd by chance or by light alone; another product differs in several, or enormously in one.
    is_strange = ~is_blurred & (((strange > FAR).sum(axis=0) >= 2) | (strange > 3 * FAR).any(axis=0))
    is_lit = ~is_blurred & ~is_strange & (np.abs(far["brightness"]) > FAR)
    found = []
    if files := _paths(facts, is_strange):
        found.append(
            Finding(
                "stranger",
                "warning",
                files,
                f"{_count(files)} unlike the others altogether, as of another product, side or lens",
                "take out what is no good part of this product, or was not taken as the others",
            )
        )
    if files := _paths(facts, is_blurred):
        advice = "take again in focus, for who knows blurred parts as good misses small defects"
        found.append(Finding("sharpness", "warning", files, f"{_count(files)} much less sharp than the others", advice))
    for is_such, word in ((far["brightness"] < 0, "darker"), (far["brightness"] > 0, "brighter")):
        if files := _paths(facts, is_lit & is_such):
            text = f"{_count(files)} much {word} than the others"
            found.append(Finding("brightness", "warning", files, text, "take out what the line will never see"))
    return found


def _of_shape(facts: Sequence[PictureFacts]) -> list[Finding]:
    """Thumbnails by size or name, much larger pictures, other proportions."""
    by_name = [one.path for one in facts if is_called_thumbnail(one.path)]
    found: list[Finding] = []
    small, large, odd = set[Path](), set[Path](), set[Path]()
    if len(facts) >= FEWEST:
        areas = np.log([one.size[0] * one.size[1] for one in facts])
        is_far = np.abs(deviations(areas, LEAST["area"])) > FAR
        off = areas - np.median(areas)
        small = set(_paths(facts, is_far & (off < np.log(SMALL))))
        large = set(_paths(facts, is_far & (off > -np.log(SMALL))))
        shapes = deviations(np.log([one.size[1] / one.size[0] for one in facts]), LEAST["proportions"])
        odd = set(_paths(facts, np.abs(shapes) > FAR)) - small - set(by_name)
    thumbnails = tuple(one.path for one in facts if one.path in small or one.path in by_name)
    if thumbnails:
        text = f"{_count(thumbnails)} much smaller than the others, or called thumbnails"
        found.append(Finding("thumbnails", "warning", thumbnails, text, "take out what is no picture of the camera"))
    for kind, paths, text in (("size", large, "much larger than the others"), ("proportions", odd, _OTHER_SHAPE)):
        if paths:
            files = tuple(one.path for one in facts if one.path in paths)
            advice = "give the camera's pictures as they are, all cut alike"
            found.append(Finding(kind, "warning", files, f"{_count(files)} {text}", advice))
    return found


_OTHER_SHAPE = "of other proportions than the others"


def is_called_thumbnail(path: Path) -> bool:
    """Whether the name says so: thumb_1.png, 1_thumbnail.jpg, 1.thumb.png."""
    name = path.stem.casefold()
    return any(part in ("thumb", "thumbs", "thumbnail") for part in name.replace("-", "_").replace(".", "_").split("_"))


def _blank(facts: Sequence[PictureFacts]) -> set[Path]:
    """Of one colour, or with a quarter of the usual contrast or less where that is hardly any."""
    usual = float(np.median([one.looks["contrast"] for one in facts])) if facts else 0.0
    return {one.path for one in facts if one.is_blank or one.looks["contrast"] < min(3.0, usual / 4)}


def _said_of_blank(facts: Sequence[PictureFacts], blank: set[Path]) -> list[Finding]:
    if not blank:
        return []
    files = tuple(one.path for one in facts if one.path in blank)
    black = sum(one.looks["brightness"] < 10 for one in facts if one.path in blank)
    text = f"{_count(files)} of one colour" + (f", {black} of them black" if black else "")
    return [Finding("blank", "warning", files, text, "take out what shows nothing")]


def _paths(facts: Sequence[PictureFacts], which: np.ndarray) -> tuple[Path, ...]:
    """Those that stand out, if they are few."""
    if which.sum() > max(1, MOST * len(facts)):
        return ()
    return tuple(one.path for one, is_such in zip(facts, which, strict=True) if is_such)


def _count(files: Sequence[Path]) -> str:
    return "1 picture is" if len(files) == 1 else f"{len(files)} pictures are"
