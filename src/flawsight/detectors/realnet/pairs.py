"""Lessons: pairs of a picture with a synthetic defect and without, as feature maps, made once or ever anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from flawsight.detectors.synthesis import AnomalySynthesis

AT_ONCE = 8
Reduce = Callable[[Sequence[Tensor]], list[Tensor]]


class Triplets(NamedTuple):
    """Features of pictures with a defect, of the same without, (N, C, H, W) per layer, and masks (N, H, W) bool."""

    anomalous: list[Tensor]
    normal: list[Tensor]
    masks: Tensor


class SyntheticPairs:
    """Triplets of these pictures by number: number k shows picture k modulo their count, its defect by (seed, k).

    With `pairs` there are so many, and their features, as `reduce` leaves them, are kept; else each is made when it is
    asked for.
    """

    def __init__(
        self, pictures: Sequence[np.ndarray], synthesis: AnomalySynthesis, seed: int, pairs: int | None
    ) -> None:
        self.pictures = pictures
        self.synthesis = synthesis
        self.seed = seed
        self.pairs = pairs
        self._good: dict[int, list[Tensor]] = {}
        self._bad: dict[int, tuple[list[Tensor], Tensor]] = {}

    def good(self, most: int) -> Iterator[list[Tensor]]:
        """Features of at most so many good pictures, as the network gives them, in batches."""
        pictures = self.pictures[:most]
        for start in range(0, len(pictures), AT_ONCE):
            yield self.synthesis.features(pictures[start : start + AT_ONCE])

    def anomalous(self, count: int) -> Iterator[Triplets]:
        """The first `count` triplets as the network gives them, in batches."""
        for start in range(0, count, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, count))
            copies, masks = self._copies(numbers)
            normal = self.synthesis.features([self._picture(number) for number in numbers])
            yield Triplets(self.synthesis.features(copies), normal, masks)

    def sample(self, rows: Tensor, defect_share: float, generator: torch.Generator, reduce: Reduce) -> Triplets:
        """Triplets of the pictures of these numbers, a share of them with a defect, as `reduce` leaves them."""
        count = len(self.pictures)
        turns = torch.randint(max(1, (self.pairs or 2**31) // count), (len(rows),), generator=generator)
        is_bad = (torch.rand(len(rows), generator=generator) < defect_share).tolist()
        numbers = (turns * count + rows).tolist()
        normal = self._normal([int(row) for row in rows], reduce)
        defective = self._defective([number for number, bad in zip(numbers, is_bad, strict=True) if bad], reduce)
        empty = torch.zeros(self.pictures[0].shape[:2], dtype=torch.bool)
        shown = [
            defective[number] if bad else (normal[row], empty)
            for row, number, bad in zip(rows.tolist(), numbers, is_bad, strict=True)
        ]
        return Triplets(
            _stacked([features for features, _ in shown]),
            _stacked([normal[row] for row in rows.tolist()]),
            torch.stack([mask for _, mask in shown]),
        )

    def _normal(self, rows: Sequence[int], reduce: Reduce) -> dict[int, list[Tensor]]:
        """Features of these good pictures."""
        missing = [row for row in dict.fromkeys(rows) if row not in self._good]
        features = {}
        if missing:
            maps = self.synthesis.features([self.pictures[row] for row in missing])
            features = _taken_apart(reduce(maps), missing)
        found = {row: features.get(row) or self._good[row] for row in rows}
        if self.pairs is not None:
            self._good.update(features)
        return found

    def _defective(self, numbers: Sequence[int], reduce: Reduce) -> dict[int, tuple[list[Tensor], Tensor]]:
        """Features and mask of each of these numbers."""
        missing = [number for number in dict.fromkeys(numbers) if number not in self._bad]
        made = {}
        if missing:
            copies, masks = self._copies(missing)
            features = _taken_apart(reduce(self.synthesis.features(copies)), missing)
            made = {number: (features[number], mask) for number, mask in zip(missing, masks, strict=True)}
        found = {number: made.get(number) or self._bad[number] for number in numbers}
        if self.pairs is not None:
            self._bad.update(made)
        return found

    def _copies(self, numbers: Sequence[int]) -> tuple[list[np.ndarray], Tensor]:
        seeds = [int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]) for number in numbers]
        return self.synthesis.copies(self.pictures, [number % len(self.pictures) for number in numbers], seeds)

    def _picture(self, number: int) -> np.ndarray:
        return self.pictures[number % len(self.pictures)]


def _stacked(features: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    return [torch.stack(values) for values in zip(*features, strict=True)]


def _taken_apart(maps: Sequence[Tensor], names: Sequence[int]) -> dict[int, list[Tensor]]:
    return {name: [values[place].clone() for values in maps] for place, name in enumerate(names)}
