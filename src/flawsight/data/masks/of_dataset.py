"""The masks of a data set: learned, checked file by file, and read as one mask for each picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.data.masks.pixels import MaskFacts, read_pixels
from flawsight.data.masks.rule import ANY_NONZERO, MaskRule, inverted, learn_rule
from flawsight.data.masks.shapes import Drawing
from flawsight.data.names import few_names
from flawsight.data.pixels import image_size
from flawsight.data.problems import Problems
from flawsight.data.samples import DEFECTIVE, GOOD, Sample


class Masks:
    """What marks a defect in a data set, and the pixels that are marked; made by `learn_masks`.

    >>> found = open_dataset(dataset)
    >>> masks = learn_masks(found)
    >>> masks.of(found[-1], (64, 80)).sum()
    np.int64(400)
    """

    def __init__(
        self, rule: MaskRule | None = None, files: int = 0, drawn: int = 0, warnings: tuple[str, ...] = ()
    ) -> None:
        self.rule = rule
        self.files = files
        self.drawn = drawn
        self.warnings = warnings

    @property
    def said(self) -> str:
        """What was decided, in a sentence."""
        parts = [f"{self.files} files: {self.rule.said}"] if self.rule else []
        parts += [f"{self.drawn} pictures with outlines, filled"] if self.drawn else []
        return "; ".join(parts) or "none"

    def of(self, sample: Sample, size: tuple[int, int]) -> np.ndarray | None:
        """(H, W) bool, all its masks together: all False for a good picture, None for a defective one without any."""
        if sample.label == GOOD:
            return np.zeros(size, bool)
        if not sample.masks:
            return None
        rule = self.rule or ANY_NONZERO
        parts = [one.pixels(size) if isinstance(one, Drawing) else read_mask(one, size, rule) for one in sample.masks]
        return np.logical_or.reduce(parts)

    def to_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        decided = self.rule.to_dict() if self.rule else {}
        return {**decided, "rule": self.said, "files": self.files, "drawn": self.drawn}


def learn_masks(samples: Iterable[Sample]) -> Masks:
    """Decide from all masks of these samples what marks a defect, before anything is measured with them.

    Raises one FlawsightError that names every file that is unreadable, of another size than its picture, empty for a
    defective picture or not empty for a good one; or says why no single meaning fits them all.

    >>> learn_masks(open_dataset(dataset)).said
    '3 files: 0 is ground, all else marks a defect (values: 0, 255)'
    """
    problems, facts = Problems(), {}
    samples = [sample for sample in samples if sample.masks]
    fitting = []
    for sample in samples:
        before = len(problems.found)
        for mask in sample.masks:
            with problems.noted():
                if isinstance(mask, Path) and mask not in facts:
                    facts[mask] = MaskFacts.of(mask)
                _check_size(sample, mask, facts[mask].size if isinstance(mask, Path) else mask.size)
        fitting += [sample] if len(problems.found) == before else []
    rule = None
    with problems.noted():
        rule = learn_rule(list(facts.values())) if facts else None
        for sample in fitting:
            with problems.noted():
                _check_marks(sample, [_share(sample, mask, rule, facts) for mask in sample.masks])
    problems.refuse()
    drawn = sum(not isinstance(mask, Path) for sample in samples for mask in sample.masks)
    return Masks(rule, len(facts), drawn, tuple(_warnings(rule, list(facts.values()))) if rule else ())


def _warnings(rule: MaskRule, facts: list[MaskFacts]) -> Iterator[str]:
    if against := [one.path for one in inverted(rule, facts)]:
        yield f"{few_names(against)}: these masks mark nearly all of their picture, rim and all"
    if lossy := [one.path for one in facts if rule.is_soft and rule.loses(read_pixels(one.path))]:
        yield f"{few_names(lossy)}: these masks have regions that stay below half of the maximum and do not count"


def read_mask(path: str | Path, size: tuple[int, int], rule: MaskRule = ANY_NONZERO) -> np.ndarray:
    """Read a defect mask as (H, W) bool: what the rule calls marked, or else whatever is not zero in any channel.

    `size` is the image's (H, W), after EXIF rotation. Raises FlawsightError if the mask has another size, is
    unreadable, or is a JPEG without a rule: its compression leaves non-zero pixels all around a defect.

    >>> mask = read_mask(open_dataset(dataset)[-1].mask_path, (64, 80))
    >>> mask.shape, int(mask.sum())
    ((64, 80), 400)
    """
    path = Path(path)
    pixels = read_pixels(path)
    if pixels.is_lossy and not rule.is_soft:
        raise FlawsightError(f"mask {path} is a JPEG, which blurs its edges; threshold it and save it as PNG")
    _fits(f"mask {path}", pixels.size, size)
    return rule.marked(pixels)


def _check_size(sample: Sample, mask: Path | Drawing, mask_size: tuple[int, int] | None) -> None:
    size = image_size(sample.path)
    if mask_size is not None:
        _fits(f"mask {mask}" if isinstance(mask, Path) else f"the drawing in {mask.where}", mask_size, size)


def _fits(what: str, mask_size: tuple[int, int], size: tuple[int, int]) -> None:
    if tuple(mask_size) == tuple(size):
        return
    is_turned = tuple(mask_size) == tuple(size)[::-1]
    raise FlawsightError(
        f"{what} is {mask_size[1]} x {mask_size[0]} pixels but its image is {size[1]} x {size[0]}"
        + (" (turned: by an EXIF orientation that only one of them has?)" if is_turned else "")
        + "; give a mask of the image's size"
    )


def _share(sample: Sample, mask: Path | Drawing, rule: MaskRule | None, facts: dict[Path, MaskFacts]) -> float:
    """How much of a picture its mask marks."""
    if isinstance(mask, Path):
        assert rule is not None
        return rule.marks(facts[mask].ink(rule.channel))[0]
    return float(mask.pixels(image_size(sample.path)).mean())


def _check_marks(sample: Sample, shares: list[float]) -> None:
    names = ", ".join(str(mask if isinstance(mask, Path) else mask.where) for mask in sample.masks)
    if sample.label == DEFECTIVE and not any(shares):
        raise FlawsightError(f"{names} marks nothing, but {sample.path} is defective; correct the mask or the label")
    if sample.label == GOOD and any(shares):
        raise FlawsightError(
            f"{names} marks {max(shares):.2%} of {sample.path}, which is good; correct the mask or the label"
        )
