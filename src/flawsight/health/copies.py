"""Which pictures are copies of each other, or nearly: re-encoded, resized, brightened, or the next frame of a video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from flawsight.health.facts import THUMBNAIL, PictureFacts
from flawsight.health.findings import Finding

COPY = 0.9
"""Correlation of details from which on two pictures are nearly one.

Copies that were saved again as JPEGs, shrunk to half, brightened or shifted by a pixel have 0.97 and more, pictures of
different parts less than 0.5, whatever all parts have in common. Where the next other picture is usually nearer than
that, a copy is at most half as far as it is.
"""
MOST_COLOUR = 0.03
"""Copies do not differ more than this in warmth or tint, which are shares of the whole brightness."""
MANY = 0.25
"""The share of pictures with a copy from which on they are not independent of each other."""
_FEWEST = 5
_LEAST_DETAIL = 0.3
_BLOCK = 2048


def copies(facts: Sequence[PictureFacts]) -> list[Finding]:
    """Exact copies, and near ones: as pairs to thin out, or as groups where they are many."""
    seen = [one for one in facts if not one.is_blank]
    exact = _exact(seen)
    later = {number for group in exact for number in group[1:]}
    kept = [one for number, one in enumerate(seen) if number not in later]
    exact_paths = [tuple(seen[number].path for number in group) for group in exact]
    near = [tuple(kept[number].path for number in group) for group in near_groups(kept)]
    return [*_said_of_exact(exact_paths), *_said_of_near(near, len(kept))]


def _exact(facts: Sequence[PictureFacts]) -> list[list[int]]:
    """Numbers of pictures with the same pixels."""
    found = defaultdict(list)
    for number, one in enumerate(facts):
        found[one.digest, one.size].append(number)
    return [group for group in found.values() if len(group) > 1]


def near_groups(facts: Sequence[PictureFacts]) -> list[list[int]]:
    """Numbers of pictures that are linked by being nearly the same."""
    if len(facts) < 2:
        return []
    details = _details(np.stack([one.thumbnail for one in facts]))
    tints = np.array([(one.looks["warmth"], one.looks["tint"]) for one in facts], np.float32)
    pairs: dict[tuple[int, int], float] = {}
    for start, likeness in _likeness(details):
        rows, columns = np.nonzero(likeness >= COPY)
        is_alike = np.abs(tints[rows + start] - tints[columns]).max(axis=1, initial=0) <= MOST_COLOUR
        for row, column in zip(rows[is_alike], columns[is_alike], strict=True):
            if row + start < column:
                pairs[int(row + start), int(column)] = float(likeness[row, column])
    if not pairs or len(facts) < _FEWEST:
        return _linked(pairs)
    limit = _nearest_other(details, _linked(pairs)) / 2
    return _linked(pair for pair, likeness in pairs.items() if _distance(likeness) <= limit)


def _likeness(details: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of the correlations of all with all: not at once, for thousands of pictures have millions of pairs."""
    for start in range(0, len(details), _BLOCK):
        yield start, details[start : start + _BLOCK] @ details.T


def _nearest_other(details: np.ndarray, groups: Sequence[Sequence[int]]) -> float:
    """How far the nearest picture that is no candidate for a copy usually is."""
    group_of = np.arange(len(details)) + len(groups)
    for number, group in enumerate(groups):
        group_of[list(group)] = number
    nearest = []
    for start, likeness in _likeness(details):
        likeness[group_of[start : start + _BLOCK, None] == group_of[None]] = -1
        nearest.append(likeness.max(axis=1))
    return _distance(float(np.median(np.concatenate(nearest))))


def _distance(likeness: float) -> float:
    return float(np.sqrt(max(0.0, 2 - 2 * likeness)))


def _details(thumbnails: np.ndarray) -> np.ndarray:
    """What is a picture's own: details without what all have in common, each place counting by how much it varies.

    Low frequencies are the lamp's, and what all parts share says nothing. Edges of a part vary most where it lies
    otherwise, and would drown the rest: so each place is divided by its own usual deviation.
    """
    soft = np.stack([one - cv2.GaussianBlur(one, (0, 0), 1.5) for one in thumbnails]).reshape(-1, THUMBNAIL**2)
    soft -= soft.mean(axis=1, keepdims=True)
    soft /= np.maximum(soft.std(axis=1, keepdims=True), _LEAST_DETAIL)
    if len(soft) >= _FEWEST:
        soft -= np.median(soft, axis=0)
        spread = 1.4826 * np.median(np.abs(soft), axis=0)
        soft /= np.maximum(spread, max(0.25 * float(np.median(spread)), 1e-3))
    return soft / np.maximum(np.linalg.norm(soft, axis=1, keepdims=True), 1e-6)


def _linked(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of numbers that pairs link, in order."""
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        while parent.setdefault(number, number) != number:
            parent[number] = number = parent[parent[number]]
        return number

    for one, other in pairs:
        first, second = sorted((root(int(one)), root(int(other))))
        parent[second] = first
    groups = defaultdict(list)
    for number in sorted(parent):
        groups[root(number)].append(number)
    return list(groups.values())


def _said_of_exact(groups: Sequence[tuple[Path, ...]]) -> list[Finding]:
    if not groups:
        return []
    files = tuple(path for group in groups for path in group)
    extra = len(files) - len(groups)
    return [
        Finding(
            "duplicates",
            "warning",
            files,
            f"{extra} {'picture is a copy' if extra == 1 else 'pictures are copies'} of another",
            "keep one of each, for a copy is no further good part: a fit counts it and its original as one",
            tuple(groups),
        )
    ]


def _said_of_near(groups: Sequence[tuple[Path, ...]], total: int) -> list[Finding]:
    if not groups:
        return []
    files = tuple(path for group in groups for path in group)
    if len(files) >= MANY * total and len(files) > 2:
        return [
            Finding(
                "groups",
                "warning",
                files,
                f"{len(files)} of {total} pictures show nearly the same as another, as frames of a video or repeated "
                f"shots of one part do, in {len(groups)} groups",
                "a fit counts each group as one part, and seldom all that belong together are found; say which show "
                "one part (--group-by), and add pictures of other parts",
                tuple(groups),
            )
        ]
    return [
        Finding(
            "near_duplicates",
            "warning",
            files,
            f"{len(files)} pictures are nearly the same as another of them",
            "a fit counts them as one part; keep the best of each, or say which are different parts (--group-by)",
            tuple(groups),
        )
    ]
