"""What the values of a data set's masks mean: decided once from all of them, and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.data.masks.pixels import Ink, Levels, MaskFacts, MaskPixels, extremes
from flawsight.data.names import few_names

Channel = Literal["colour", "alpha", "over"]
_SLOPE, _SLOPE_OF_NOISE, _FLAT = 0.2, 0.05, 0.25
"""Labels have a smaller share of middle pixels on slopes, soft edges a smaller share on flats."""
_HALF, _MOST, _LITTLE = 0.5, 0.8, 0.1
_STANDS_OUT = 0.2
_FEW_VALUES = 32


@dataclass(frozen=True)
class MaskRule:
    """From the values in mask files to what is marked: anything but the ground's, or above half of a file's maximum.

    With soft edges, a file that stays below a tenth of the whole range marks nothing: compression left that.
    `ground` is the `dark` or the `light` end of `lowest` to `highest`; `channel` is what carries the mask.

    >>> rule = learn_masks(open_dataset(dataset)).rule
    >>> rule.said
    '0 is ground, all else marks a defect (values: 0, 255)'
    """

    lowest: float = 0
    highest: float = 255
    is_soft: bool = False
    ground: Literal["dark", "light"] = "dark"
    channel: Channel = "over"
    values: tuple[str, ...] = ()

    def marked(self, pixels: MaskPixels) -> np.ndarray:
        """The marked pixels of a file as (H, W) bool."""
        darkest, brightest = extremes(pixels.plane(self.channel))
        return self.is_marked(darkest if self.ground == "light" else brightest)

    def marks(self, ink: Ink) -> tuple[float, float]:
        """The share of marked pixels in a file and on its rim."""
        levels = self.levels(ink)
        marked = self.is_marked(levels.values)
        return levels.counts[marked].sum() / levels.counts.sum(), levels.on_rim[marked].sum() / levels.on_rim.sum()

    def loses(self, pixels: MaskPixels) -> bool:
        """True if soft edges hide a region that stays below half of the maximum, though it stands out."""
        darkest, brightest = extremes(pixels.plane(self.channel))
        ink = self._ink(darkest if self.ground == "light" else brightest)
        share = ink / max(ink.max(), 1e-9)
        count, regions = cv2.connectedComponents((share > _STANDS_OUT).astype(np.uint8), connectivity=8)
        return count > 1 + len(np.setdiff1d(np.unique(regions[share > _HALF]), 0))

    def levels(self, ink: Ink) -> Levels:
        """The values that this rule looks at."""
        return ink.darkest if self.ground == "light" else ink.brightest

    def is_marked(self, values: np.ndarray) -> np.ndarray:
        """True where a value marks a defect, of all values of a file."""
        if self.is_soft:
            ink = self._ink(values)
            return ink > max(ink.max() / 2, _STANDS_OUT / 2 * (self.highest - self.lowest))
        return values != (self.highest if self.ground == "light" else self.lowest)

    def _ink(self, values: np.ndarray) -> np.ndarray:
        """How far values are from the ground's."""
        far = values.astype(np.float32)
        return self.highest - far if self.ground == "light" else far - self.lowest

    @property
    def said(self) -> str:
        """The rule in a sentence."""
        ground = self.highest if self.ground == "light" else self.lowest
        listed = f" (values: {', '.join(self.values)})" if self.values else ""
        if self.is_soft:
            what = f"edges are soft ({self.lowest:g} to {self.highest:g}): half of the maximum of each marks a defect"
        else:
            what = f"{ground:g} is ground, all else marks a defect{listed}"
        inverted = "; the ground is light, the defects dark" if self.ground == "light" else ""
        where = {"alpha": "; what is opaque counts, not its colour", "over": "; what is transparent counts as black"}
        return what + inverted + (where.get(self.channel, "") if self.channel != "colour" else "")

    def to_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "rule": self.said,
            "ground": self.ground,
            "soft": self.is_soft,
            "range": [self.lowest, self.highest],
            "channel": self.channel,
            "values": list(self.values),
        }


ANY_NONZERO = MaskRule()
"""For a mask on its own: any channel that is not zero; what is transparent counts as zero."""


def learn_rule(facts: Sequence[MaskFacts]) -> MaskRule:
    """The rule under which these files, all of one data set, mark a part of each picture.

    Raises FlawsightError where more than one reading makes sense.
    """
    channel = _channel(facts)
    inks = [one.ink(channel) for one in facts]
    is_soft = _is_soft(facts, inks)
    readings = [_reading(ground, inks, is_soft, channel) for ground in ("dark", "light")]
    possible = [rule for rule in readings if _makes_sense(rule, inks)]
    if not possible:
        share = float(np.median([readings[0].marks(ink)[0] for ink in inks]))
        raise FlawsightError(
            f"what is ground in the masks cannot be told: if it is dark, they mark {share:.0%} of a picture, and if "
            f"it is light, no likely part either ({few_names([one.path for one in facts])}); save them with 0 where "
            "nothing is wrong, or leave them out to go without"
        )
    rule = possible[0]
    _refuse_mixed(rule, facts, inks)
    return rule


def inverted(rule: MaskRule, facts: Sequence[MaskFacts]) -> list[MaskFacts]:
    """The files that mark nearly all of their picture and all of its rim, as if their ground were the other one."""
    shares = [(one, rule.marks(ink)) for one in facts if not rule.levels(ink := one.ink(rule.channel)).is_uniform]
    return [one for one, (whole, rim) in shares if whole > _MOST and rim > 1 - _LITTLE]


def _channel(facts: Sequence[MaskFacts]) -> Channel:
    transparent = [one for one in facts if one.alpha is not None]
    opacities = {value for one in transparent if one.alpha for value in one.alpha.brightest.values.tolist()}
    if len(opacities) <= 1:
        return "colour"  # no alpha, or one without meaning
    is_one_colour = all(one.colour.darkest.is_uniform and one.colour.brightest.is_uniform for one in transparent)
    return "alpha" if is_one_colour else "over"


def _is_soft(facts: Sequence[MaskFacts], inks: Sequence[Ink]) -> bool:
    lossy = [one.path for one in facts if one.is_lossy]
    names = ("middle", "between", "flat", "near")
    middle, between, flat, near = (sum(getattr(ink, name) for ink in inks) for name in names)
    if lossy:
        top = max(ink.brightest.values[-1] for ink in inks)
        if top < _FEW_VALUES:
            raise FlawsightError(
                f"the masks hold values up to {top} in JPEG files, which do not keep labels ({few_names(lossy)}); "
                "save them as PNG from where they were drawn"
            )
        return True
    if between <= middle * (_SLOPE_OF_NOISE if near == middle else _SLOPE):
        return False
    if flat / middle < _FLAT:
        return True
    raise FlawsightError(
        "the masks look like labels with blurred edges, so that no value tells where a defect ends "
        f"({few_names([one.path for one, ink in zip(facts, inks, strict=True) if ink.between])}); "
        "save them as PNG without smoothing or resizing"
    )


def _reading(ground: Literal["dark", "light"], inks: Sequence[Ink], is_soft: bool, channel: Channel) -> MaskRule:
    levels = [ink.darkest if ground == "light" else ink.brightest for ink in inks]
    values = np.unique(np.concatenate([one.values for one in levels]))
    lowest, highest = values[0].item(), values[-1].item()
    if lowest == highest:
        lowest = 0
    colours = sorted({colour for ink in inks for colour in ink.colours})
    names = colours or [f"{value:g}" for value in values]
    listed = () if is_soft or len(names) > _FEW_VALUES else tuple(names)
    return MaskRule(lowest, highest, is_soft, ground, channel, listed)


def _makes_sense(rule: MaskRule, inks: Sequence[Ink]) -> bool:
    """True if most masks mark the smaller part of their picture and of its rim, or a larger part but no rim."""
    telling = [ink for ink in inks if not rule.levels(ink).is_uniform]
    shares = np.array([rule.marks(ink) for ink in telling or inks])
    if not telling:  # masks of all or nothing
        return rule.ground == "dark" and bool((shares[:, 0] < 1).any())
    whole, rim = np.median(shares, axis=0)
    return bool((whole <= _HALF and rim <= _HALF) or (whole <= _MOST and rim <= _LITTLE))


def _refuse_mixed(rule: MaskRule, facts: Sequence[MaskFacts], inks: Sequence[Ink]) -> None:
    against = inverted(rule, facts)
    telling = sum(not rule.levels(ink).is_uniform for ink in inks)
    if len(against) > max(1, 0.2 * telling):
        other = [one.path for one in facts if one not in against]
        raise FlawsightError(
            f"{len(against)} masks have the opposite ground of the others ({few_names([a.path for a in against])}; "
            f"against {few_names(other)}); invert those"
        )
