"""Two small products with masks, and one without; a study that costs nothing."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from flawsight.settings import StudySettings
from flawsight.studies import STUDIES, Study, Table, Unit, pivot
from flawsight.studies.grid import chosen_categories
from flawsight.views import resize_image

SIZE = (80, 96)
TAKES = ("detector", "augment", "textures")
SPOT = (slice(56, 64), slice(74, 84))


@pytest.fixture(scope="session")
def products(tmp_path_factory: pytest.TempPathFactory, texture: Callable, spoiled: Callable) -> Path:
    """bands and stripes, with masks. Nobody writes here."""
    root = tmp_path_factory.mktemp("products")
    for name, first in (("bands", 1000), ("stripes", 2000)):
        write_product(root / name, texture, spoiled, first)
    return root


class Bands(NamedTuple):
    """Of bands: squares to learn from, squares to test on (four good ones, then four with a spot), and their masks."""

    good: list[np.ndarray]
    test: list[np.ndarray]
    masks: list[np.ndarray]


@pytest.fixture(scope="session")
def bands(products: Path) -> Callable[[int], Bands]:
    """The product at a size, its files read with other libraries."""

    def at(side: int) -> Bands:
        good, fine, spotted = (
            [resize_image(np.array(Image.open(path)), side) for path in sorted((products / "bands" / part).iterdir())]
            for part in ("train/good", "test/good", "test/spot")
        )
        drawn = np.array(Image.open(products / "bands" / "ground_truth" / "spot" / "000_mask.png"))
        mask = cv2.resize(drawn, (side, side), interpolation=cv2.INTER_NEAREST) > 0
        return Bands(good, fine + spotted, [np.zeros_like(mask)] * 4 + [mask] * 4)

    return at


@pytest.fixture(scope="session", autouse=True)
def _fields_are_kept_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path_factory.mktemp("hub")))
    yield
    torch.hub.set_dir(before)


def write_product(root: Path, texture: Callable, spoiled: Callable, first: int, with_masks: bool = True) -> Path:
    """10 good images to learn from, 4 good and 4 with a spot to test on."""
    for part, count, make in (("train/good", 10, texture), ("test/good", 4, texture), ("test/spot", 4, spoiled)):
        (root / part).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(make(first + number)).save(root / part / f"{number:03d}.png")
        first += 100
    if with_masks:
        (root / "ground_truth/spot").mkdir(parents=True)
        mask = np.zeros(SIZE, np.uint8)
        mask[SPOT] = 255
        for number in range(4):
            Image.fromarray(mask).save(root / "ground_truth/spot" / f"{number:03d}_mask.png")
    return root


class Tally:
    """A study of numbers: what was measured, how often, and what goes wrong with whom."""

    def __init__(self) -> None:
        self.made: list[Unit] = []
        self.stops_after: int | None = None
        self.fails: dict[str, Exception] = {}

    def units(self, settings: StudySettings) -> list[Unit]:
        return [
            Unit(category, layers=layers, seed=seed)
            for category in chosen_categories(settings)
            for layers in ("one", "two", "three")
            for seed in settings.seeds
        ]

    def measure(self, units: Sequence[Unit], settings: StudySettings) -> list[dict]:
        del settings
        if self.stops_after is not None and len(self.made) >= self.stops_after:
            raise KeyboardInterrupt
        for unit in units:
            if unit.layers in self.fails:
                raise self.fails[unit.layers]
        self.made += units
        return [{"p_h": len(unit.layers) / 10 + unit.seed / 100, "reads": unit.layers} for unit in units]


def tables(frame: pd.DataFrame) -> list[Table]:
    return [pivot(frame.assign(is_whole=frame["status"] == "made"), "category", "layers", "p_h", "Lengths")]


@pytest.fixture
def tally() -> Iterator[Tally]:
    """The study `tally` for as long as a test runs."""
    counts = Tally()
    columns = {"p_h": float, "reads": str}
    functions = counts.units, counts.measure, tables
    STUDIES["tally"] = Study("Lengths", "nobody", "nothing", columns, *functions, at_once=2, takes=TAKES)
    yield counts
    del STUDIES["tally"]
