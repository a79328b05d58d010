"""A generator that learns in seconds: pictures of 16 pixels, of two colours."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flawsight.generation import PRESETS, Generator

QUALITY = 60.0
COLOURS = ((220, 40, 30), (40, 30, 220))


def two_colours(count: int = 12) -> list[np.ndarray]:
    """Plain pictures, alternately of one and the other colour, a little uneven, 20 x 30."""
    rng = np.random.default_rng(0)
    return [
        np.clip(COLOURS[number % 2] + rng.normal(0, 3, (20, 30, 3)), 0, 255).astype(np.uint8) for number in range(count)
    ]


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    return two_colours()


@pytest.fixture(scope="session", autouse=True)
def tiny() -> Iterator[str]:
    """The preset `tiny`."""
    with pytest.MonkeyPatch.context() as patch:
        small = PRESETS["small"]
        tiny = replace(
            small, side=16, patch=4, widths=(16,), attention=0, norm_groups=4, head=8, sampling_steps=10, decay=0.95
        )
        patch.setitem(PRESETS, "tiny", tiny)
        # Has tests of its own, and takes longer than all that is trained here.
        patch.setattr("flawsight.generation.generator.relative_frechet_distance", lambda *_: QUALITY)
        yield "tiny"


@pytest.fixture(scope="session")
def learned(images: list[np.ndarray], tiny: str) -> Generator:
    return Generator(tiny, steps=120, learning_rate=5e-3, device="cpu").fit(images)


@pytest.fixture(scope="session")
def stored(learned: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder. Nobody writes here."""
    folder = tmp_path_factory.mktemp("generator")
    learned.save(folder)
    return folder
