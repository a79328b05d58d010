"""The two nouns of this room: a sample is one picture and what is known of it, a data set is a sequence of samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, overload

from flawsight.core import FlawsightError
from flawsight.data.listing import Skipped

if TYPE_CHECKING:
    from flawsight.data.masks.shapes import Drawing

GOOD, DEFECTIVE = 0, 1
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Sample:
    """One image file: label 0 good, 1 defective, None unknown; `kind` names the defect ("good" for good ones).

    `masks` are files and drawings of which each marks a part of what is defective; one file may be given as it is.

    >>> sample = open_dataset(dataset)[-1]
    >>> sample.path.name, sample.label, sample.kind, sample.split
    ('002.png', 1, 'spot', 'test')
    """

    path: Path
    label: int | None
    masks: tuple[Path | Drawing, ...] = ()
    kind: str = "good"
    split: str = "test"

    def __post_init__(self) -> None:
        if self.label not in (GOOD, DEFECTIVE, None):
            raise FlawsightError(f"{self.path}: label {self.label!r} is unknown; use 0 (good), 1 (defective) or None")
        _check_split(self.split)
        if not isinstance(self.masks, tuple):
            object.__setattr__(self, "masks", () if self.masks is None else (self.masks,))

    @property
    def mask_path(self) -> Path | None:
        """The first mask file; None where there is none."""
        return next((mask for mask in self.masks if isinstance(mask, Path)), None)


class Dataset(Sequence[Sample]):
    """The samples of one product, in a fixed order, with the folder (or table) and the layout they were read from.

    `notes` are sentences about what was left out or taken for granted; `skipped` lies beside and is not read.

    >>> found = open_dataset(dataset)
    >>> found.kinds, len(found), len(found.select(split="test", label=DEFECTIVE))
    (('spot',), 18, 3)
    """

    def __init__(
        self,
        samples: Iterable[Sample],
        root: Path,
        layout: str,
        notes: Iterable[str] = (),
        skipped: Iterable[Skipped] = (),
    ) -> None:
        self._samples = tuple(samples)
        self.skipped = tuple(skipped)
        self.root = root
        self.layout = layout
        self.notes = tuple(notes)

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        if isinstance(index, slice):
            return self._with(self._samples[index])
        return self._samples[index]

    def __repr__(self) -> str:
        labels, splits = Counter(s.label for s in self), Counter(s.split for s in self)
        counts = f"{splits['train']} train, {splits['test']} test; {labels[GOOD]} good, {labels[DEFECTIVE]} defective"
        if labels[None]:
            counts += f", {labels[None]} unknown"
        masks = "with masks" if self.has_masks else "no masks"
        return f"Dataset({self.layout} at '{self.root}': {counts}; {masks})"

    def select(self, split: str | None = None, label: int | EllipsisType | None = ...) -> Dataset:
        """Keep the samples of one split and/or one label (`label=None` keeps the unknown ones)."""
        if split is not None:
            _check_split(split)
        return self._with(s for s in self if split in (None, s.split) and label in (..., s.label))

    @property
    def has_masks(self) -> bool:
        """True when there are defective samples and every one of them has a mask."""
        defective = [s for s in self if s.label == DEFECTIVE]
        return bool(defective) and all(s.masks for s in defective)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the defect kinds that occur, sorted; "good" is none of them."""
        return tuple(sorted({s.kind for s in self if s.label == DEFECTIVE}))

    def _with(self, samples: Iterable[Sample]) -> Dataset:
        return Dataset(samples, self.root, self.layout, self.notes, self.skipped)


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise FlawsightError(f"split {split!r} is unknown; use {' or '.join(SPLITS)}")
