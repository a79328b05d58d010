"""Searches that several files look at, a plug to pull, and who counts the trials."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.selection import (
    Candidate,
    LayerSelection,
    runner,
)

LAYERS = "blocks.1.0.*,blocks.3.0.*"


DETECTOR = PatchCore(bank_size=100)


@pytest.fixture(scope="session")
def images(texture: Callable) -> list[np.ndarray]:
    return [cv2.resize(texture(seed), (64, 64), interpolation=cv2.INTER_AREA) for seed in range(20)]


@pytest.fixture(scope="session")
def exhaustive(network: Extractor, images: list[np.ndarray]) -> LayerSelection:
    return LayerSelection(DETECTOR, LAYERS, "nsa", "exhaustive", fuse=1, seed=3).fit(network, images)


@pytest.fixture(scope="session")
def auto(network: Extractor, images: list[np.ndarray]) -> LayerSelection:
    return LayerSelection(DETECTOR, LAYERS, "nsa,simple", finalists=2, seed=3).fit(network, images)


class KilledError(Exception):
    """The plug is pulled."""


class KillAfter:
    """Progress that pulls the plug after so many trials of the full round."""

    Killed = KilledError

    def __init__(self, trials: int) -> None:
        self.left = trials

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            if count == 1 and name.startswith("Measuring"):
                self.left -= 1
                if self.left < 0:
                    raise KilledError

        yield advance


@pytest.fixture
def kill_after() -> type[KillAfter]:
    return KillAfter


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Candidate]]:
    """Every trial that is really made."""
    made: list[tuple[str, Candidate]] = []
    original = runner.run_trials

    def counted(extractor, candidates, *rest):  # type: ignore[no-untyped-def]
        for trial in original(extractor, candidates, *rest):
            made.append((trial.stage, trial.candidate))
            yield trial

    monkeypatch.setattr(runner, "run_trials", counted)
    return made
