"""Which pictures show the same part: by their names, where somebody says how, and copies of each other in any case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from flawsight.core import FlawsightError, cache_key
from flawsight.data import MIN_GOOD, turned
from flawsight.health import HealthReport
from flawsight.settings import LearnOptions

GROUP = "part"
"""The group of a pattern that names the part, where it has one of that name."""
_MOST_NAMED = 5
SHOT = re.compile(r"(.*\w)[-_ ]\d{1,2}$")
"""A name that ends in a short number."""
_MOST_SHOTS = 12


@dataclass(frozen=True, eq=False)
class Parts:
    """`of` (n,) numbers the part that each picture shows, from 0 in the pictures' order.

    `is_named`: whether names say which part it is; `joined` pictures were found to be copies of others besides; `hint`
    is what to ask where names look as if several pictures showed one part.
    """

    of: np.ndarray
    is_named: bool = False
    joined: int = 0
    hint: str = ""

    @cached_property
    def count(self) -> int:
        """How many different parts there are."""
        return len(np.unique(self.of))

    @property
    def is_each_its_own(self) -> bool:
        """Whether no two pictures show the same part."""
        return self.count == len(self.of)

    @property
    def is_few(self) -> bool:
        """Whether they are too few to split for a search."""
        return self.count < MIN_GOOD

    @property
    def key(self) -> str:
        """Names which pictures belong together; empty where none do."""
        return "" if self.is_each_its_own else cache_key(self.of.tolist())

    @property
    def concerns(self) -> tuple[str, ...]:
        """How many parts there are, where several pictures show one."""
        few = (*([_said_of_few(self.count)] if self.is_few else []), *([self.hint] if self.hint else []))
        if self.is_each_its_own:
            return few
        how = ["the names say so"] if self.is_named else []
        if self.joined:
            number = "1 picture is" if self.joined == 1 else f"{self.joined} pictures are"
            how.append(f"{number} nearly the same as another" if not self.is_named else f"{number} a copy")
        shown = f"the {len(self.of)} pictures show {self.count} different parts ({', and '.join(how)})"
        return (
            f"{shown}: no part is on both sides of a split, and the stated rate is for a picture of a new part",
            *few,
        )


def _said_of_few(count: int) -> str:
    """What cannot be done, and what not be promised, with so few."""
    parts = "1 part is" if count == 1 else f"{count} different parts are"
    said = (
        f"{parts} too few to choose layers by, which takes {MIN_GOOD}: those at which the network's stages end are "
        "read, if --fixed-layers names no others"
    )
    if count > 1:
        return f"{said}; no rate of false alarms below {1 / (count + 1):.0%} can be stated"
    return f"{said}; how pictures of one part differ says nothing of others: no rate of false alarms is guaranteed"


def said_of_orientations(parts: Parts, settings: LearnOptions) -> list[str]:
    """Of few parts: in how many orientations each picture is learned from, or how to say that it may be turned."""
    if not parts.is_few or settings.augment:
        return []
    count = len(turned([np.zeros((1, 1, 3), np.uint8)], settings.label_preserving))
    if count > 1:
        return [f"each picture is learned from in {count} orientations, as --label-preserving allows"]
    return [
        "good parts are learned from as they lie: where they may also be mirrored or turned, add flip or rotate90 to "
        "--label-preserving, for of few pictures much more is learned so"
    ]


def named_parts(paths: Sequence[Path], pattern: str, folder: Path | None) -> list[str]:
    """The name of each picture's part: what the pattern's group `part`, its first or all of it finds in the path.

    Paths are looked at as they lie below the folder, with / between names. FlawsightError names pictures that do not
    match: a part of its own, for each of them, would be a guess.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise FlawsightError(f"--group-by '{pattern}' is no regular expression: {error}") from error
    group = GROUP if GROUP in compiled.groupindex else min(1, compiled.groups)
    found, missed = [], []
    for path in paths:
        text = (path.relative_to(folder) if folder and path.is_relative_to(folder) else path).as_posix()
        match = compiled.search(text)
        if match is None or match[group] is None:
            missed.append(text)
        else:
            found.append(match[group])
    if missed:
        more = f" and {len(missed) - _MOST_NAMED} more" if len(missed) > _MOST_NAMED else ""
        raise FlawsightError(
            f"--group-by '{pattern}' names no part in {', '.join(missed[:_MOST_NAMED])}{more}: change the pattern, or "
            "the names"
        )
    return found


def find_parts(paths: Sequence[Path], names: Sequence[str] | None, health: HealthReport) -> Parts:
    """Parts by their names, or else a part for each picture; joined where the pictures are copies.

    What is merely alike is taken for one part only where no names say otherwise: parts in a fixture look alike.
    """
    kinds = ("duplicates",) if names is not None else ("duplicates", "near_duplicates", "groups")
    number_of = {path: number for number, path in enumerate(paths)}
    first = list(range(len(paths))) if names is None else _numbered(names)
    before = len(set(first))
    links = [[first[number_of[path]] for path in group] for one in health.of_kind(*kinds) for group in one.groups]
    joined = _joined(first, links)
    hint = hint_of(paths) if names is None else ""
    return Parts(np.array(joined, int), names is not None, before - len(set(joined)), hint)


def hint_of(paths: Sequence[Path]) -> str:
    """What to ask where all names end in a short number and most have siblings that differ in that alone.

    Many siblings, as of 'good_001.png', are no sign of one part.
    """
    stems = [SHOT.match(path.stem) for path in paths]
    if not all(stems):
        return ""
    siblings = Counter(path.parent / stem[1] for path, stem in zip(paths, stems, strict=True) if stem)
    if np.median([siblings[path.parent / stem[1]] for path, stem in zip(paths, stems, strict=True) if stem]) < 2:
        return ""
    if max(siblings.values()) > _MOST_SHOTS or len(siblings) < MIN_GOOD:
        return ""
    return (
        f"names such as {paths[0].name} and {paths[1].name} look as if several pictures showed one part: if so, say it "
        r"(--group-by '^(.+)[-_ ]\d+\.'), or far more good parts will be stopped than is stated"
    )


def _numbered(names: Iterable[object]) -> list[int]:
    """The same number for the same name, from 0 in their order."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]


def _joined(first: Sequence[int], links: Iterable[Sequence[int]]) -> list[int]:
    """Numbers of groups after those that are linked became one."""
    parent = {number: number for number in first}

    def root(number: int) -> int:
        while parent[number] != number:
            number = parent[number]
        return number

    for group in links:
        for other in group[1:]:
            parent[root(other)] = root(group[0])
    return _numbered(root(number) for number in first)
