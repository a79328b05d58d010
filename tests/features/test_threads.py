"""Several threads at once: loading, inspecting, listing layers. Each finds what it would have found alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier, Event

import numpy as np
import pytest
import torch

import flawsight as fs
from flawsight.features import Extractor
from flawsight.inspection import Inspector
from flawsight.training import parallel_map

THREADS = 4


def at_once(*works: Callable[[], object]) -> list[object]:
    """Begin them at the same moment, each in a thread; errors come out."""
    barrier = Barrier(len(works))

    def begin(work: Callable[[], object]) -> object:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begin, works))


@pytest.fixture(scope="module")
def expected(bundle: Path, texture: Callable) -> tuple[np.ndarray, float]:
    picture = texture(77)
    return picture, fs.load(bundle, "cpu").inspect(picture).score


def test_loading_in_several(bundle: Path, expected: tuple[np.ndarray, float]) -> None:
    picture, score = expected
    for _ in range(3):
        inspectors = at_once(*[lambda: fs.load(bundle, "cpu")] * THREADS)
        assert at_once(*[lambda one=one: one.inspect(picture).score for one in inspectors]) == [score] * THREADS
    assert fs.load(bundle, "cpu").inspect(picture).score == score


def test_one_inspector_in_several(bundle: Path, texture: Callable) -> None:
    pictures = [texture(seed) for seed in range(12)]
    alone = fs.load(bundle, "cpu")
    scores = [alone.inspect(picture).score for picture in pictures]
    shared = fs.load(bundle, "cpu")  # not traced yet: the first inspection does that
    found = at_once(*[lambda: [shared.inspect(picture).score for picture in pictures]] * THREADS)
    assert found == [scores] * THREADS


def test_loading_while_others_inspect(bundle: Path, fitted: Inspector, expected: tuple[np.ndarray, float]) -> None:
    picture, score = expected
    is_over = Event()

    def inspects() -> set[float]:
        found = {fitted.inspect(picture).score}
        while not is_over.is_set():
            found.add(fitted.inspect(picture).score)
        return found

    def loads() -> set[float]:
        try:
            return {fs.load(bundle, "cpu").inspect(picture).score for _ in range(6)}
        finally:
            is_over.set()

    first, second, third = at_once(inspects, inspects, loads)
    assert first == second and len(first) == 1 and third == {score}


def test_networks_of_others_run_while_one_is_traced() -> None:
    """Detectors' own networks too: torch's tracer would take their calls for the traced network's."""
    module = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU()).eval()
    values, is_over = torch.ones(2, 8), Event()
    expected = module(values)

    def runs() -> bool:
        same = True
        while not is_over.is_set():
            same &= torch.equal(module(values), expected)
        return same

    def traces() -> list[str]:
        try:
            network = Extractor("resnet18", "random", 64, "cpu")
            return [layer.name for layer in network.layers]
        finally:
            is_over.set()

    first, second, names = at_once(runs, runs, traces)
    assert first and second
    assert names == [layer.name for layer in Extractor("resnet18", "random", 64, "cpu").layers]


def test_one_extractor_asked_for_different_layers(texture: Callable) -> None:
    pictures = [texture(1), texture(2)]
    network = Extractor("resnet18", "random", 64, "cpu")
    names = ["layer1.0.conv1", "layer2.0.conv1", "layer3.0.conv1", "layer2.1.relu"]
    alone = {name: network.extract(pictures, [name])[name] for name in names}
    turns = [names[number:] + names[:number] for number in range(THREADS)]

    def all_of(turn: list[str]) -> dict[str, torch.Tensor]:
        return {name: network.extract(pictures, [name])[name] for name in turn}

    found = at_once(*[partial(all_of, turn) for turn in turns])
    for features in found:
        assert all(torch.equal(features[name], alone[name]) for name in names)


def test_random_networks_are_the_same_in_several() -> None:
    networks = at_once(*[lambda: Extractor("resnet18", "random", 64, "cpu").weights_sha256] * THREADS)
    assert len(set(networks)) == 1


def test_torchs_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        at_once(*[lambda: list(parallel_map(lambda _: torch.ones(4).sum(), range(50)))] * THREADS)
        list(parallel_map(lambda _: torch.ones(4).sum(), range(50)))
        assert torch.get_num_threads() == 4
        assert at_once(*[torch.get_num_threads] * THREADS) == [4] * THREADS
    finally:
        torch.set_num_threads(before)
