"""Workers who try layers: the same trials, choices and figures, however the layers are parted and in whatever order."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.executors import Outcome
from flawsight.features import Extractor
from flawsight.pipeline import run_fit
from flawsight.selection import LayerSelection
from flawsight.settings import FitSettings

LAYERS = "blocks.1.0.*,blocks.3.0.*"


class Sent:
    """Workers far away: the job goes there in bytes, and answers come back in bytes, the last ones first."""

    def __init__(self, workers: int, lost: int = -1) -> None:
        self.workers, self.lost = workers, lost
        self.groups: list[list[Any]] = []

    def map(self, job: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Outcome[Any]]:
        sent = pickle.dumps(job)
        given = list(items)
        self.groups += given
        for number in reversed(range(len(given))):
            if number == self.lost:
                yield Outcome(number, lost="5 workers died of it")
            else:
                yield Outcome(number, pickle.loads(pickle.dumps(pickle.loads(sent)(given[number]))))


def told(search: LayerSelection) -> Any:
    trials = {
        (one.stage, one.candidate): (one.figures, {k: v.tobytes() for k, v in one.maps.items()})
        for one in search.trials_
    }
    return trials, search.selected_, search.figures_, search.untried_


@pytest.fixture(scope="module")
def plain() -> LayerSelection:
    return LayerSelection(fs.detectors.PatchCore(bank_size=50), LAYERS, "nsa,scratch", seed=3)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_same_is_chosen(plain: LayerSelection, network: Extractor, images: list[np.ndarray], workers: int) -> None:
    alone = told(clone(plain).fit(network, images))
    executor = Sent(workers)
    assert told(clone(plain).fit(network, images, executor=executor)) == alone
    assert len(executor.groups) >= workers


def test_what_is_in_the_store_is_not_sent(
    plain: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path
) -> None:
    alone = told(clone(plain).fit(network, images, tmp_path))
    executor = Sent(2)
    assert told(clone(plain).fit(network, images, tmp_path, executor=executor)) == alone and executor.groups == []


def test_what_workers_made_is_in_the_store(
    plain: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path
) -> None:
    alone = told(clone(plain).fit(network, images, tmp_path, executor=Sent(2)))
    assert told(clone(plain).fit(network, images, tmp_path)) == alone


def test_layers_that_nobody_could_try_are_said_and_the_others_kept(
    plain: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(FlawsightError, match="layers could not be tried: 5 workers died"):
        clone(plain).fit(network, images, tmp_path, executor=Sent(2, lost=0))
    assert list(tmp_path.glob("coarse-*.npz"))


@pytest.mark.parametrize("view", [{"view": "tiles", "tile": 48}, {"view": "whole"}])
def test_so_it_is_for_other_views(good_dir: Path, view: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    from flawsight.pipeline import choose

    options = {"good": good_dir, "image_size": 64, "layers": LAYERS, "defects": "scratch", "max_images": 10, **view}
    alone = run_fit(FitSettings.of(options)).inspector

    @contextmanager
    def sent(*_: Any) -> Iterator[Sent]:
        yield Sent(2)

    monkeypatch.setattr(choose, "open_executor", sent)
    found = run_fit(FitSettings.of({**options, "workers": 2})).inspector
    assert found.layers == alone.layers and found.threshold == alone.threshold


def test_real_workers_in_a_fit(good_dir: Path, tmp_path: Path) -> None:
    options = {"good": good_dir, "image_size": 64, "layers": LAYERS, "defects": "scratch", "export": "none"}
    made = [fs.fit(FitSettings.of({**options, "out": tmp_path / str(how), **how})) for how in ({}, {"workers": 2})]
    assert made[0].manifest.files == made[1].manifest.files and made[0].threshold == made[1].threshold
    assert "workers" not in made[1].manifest.settings
    assert (tmp_path / "{}" / "inspector.json").read_text() == (
        tmp_path / str({"workers": 2}) / "inspector.json"
    ).read_text()


def test_workers_without_a_search_are_refused(good_dir: Path) -> None:
    options = {"good": good_dir, "fixed_layers": "blocks.2.1.add", "workers": 2}
    with pytest.raises(FlawsightError, match="--workers has no effect here"):
        run_fit(FitSettings.of(options))
