"""defects_config.json of MVTec LOCO AD: which values of a mask are one defect, and how much of it is enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, RootModel

from flawsight.core import FlawsightError, read_model
from flawsight.data.masks.pixels import read_pixels
from flawsight.data.samples import DEFECTIVE, Sample

CONFIG = "defects_config.json"


class _Entry(BaseModel):
    defect_name: str
    pixel_value: int = Field(gt=0)
    saturation_threshold: float = Field(gt=0)
    relative_saturation: bool


class _Entries(RootModel[list[_Entry]]):
    pass


@dataclass(frozen=True)
class SaturationRules:
    """From a mask file's values to its defects and their saturation areas (Bergmann et al. 2022).

    `entries` by the value that a defect's pixels have in its file: a threshold, and whether it is a share of the
    defect's area or a number of pixels.

    >>> rules = SaturationRules({255: (0.5, True), 254: (100, False)}, dataset / "defects_config.json")
    >>> rules.saturation(255, area=81), rules.saturation(254, area=81)
    (40, 81)
    """

    entries: dict[int, tuple[float, bool]]
    path: Path

    def saturation(self, value: int, area: int) -> float:
        """The saturation area of a defect of `area` pixels: whole pixels of a share, and never more than all of it."""
        threshold, is_relative = self.entries[value]
        return max(1, int(threshold * area)) if is_relative else min(threshold, area)

    def defects(self, sample: Sample, size: tuple[int, int]) -> Iterator[tuple[np.ndarray, float]]:
        """The masks (H, W) bool and saturation areas of an image's defects: one for each value of each mask file.

        `size` is the image's (H, W). FlawsightError where a file holds a value that is not in the table.
        """
        for path in sample.masks if sample.label == DEFECTIVE else ():
            values = read_pixels(path).colour if isinstance(path, Path) else np.zeros(size, np.uint8)
            values = values if values.ndim == 2 else values.max(axis=2)
            if values.shape != size:
                raise FlawsightError(f"mask {path} is not of the size of its image; give a mask of the image's size")
            for value in np.setdiff1d(values, 0).tolist():
                if value not in self.entries:
                    raise FlawsightError(
                        f"mask {path} holds the value {value}, which {self.path} does not list; add it there, or "
                        "remove that file to go without saturation"
                    )
                mask = values == value
                yield mask, self.saturation(value, int(mask.sum()))


def read_saturation_rules(root: Path) -> SaturationRules | None:
    """The rules of one category of MVTec LOCO AD, from its defects_config.json; None where there is no such file.

    >>> read_saturation_rules(dataset) is None  # another data set
    True
    """
    path = root / CONFIG
    if not path.is_file():
        return None
    entries = read_model(path, _Entries, "data set", "copy it from MVTec LOCO AD again, or remove it").root
    return SaturationRules(
        {one.pixel_value: (one.saturation_threshold, one.relative_saturation) for one in entries}, path
    )
