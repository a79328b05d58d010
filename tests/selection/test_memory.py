"""Memory: candidates are cut into groups that fit, which changes no result; too small a limit says what it takes."""

import re
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.defects import Product
from flawsight.detectors import Gaussian, PatchCore
from flawsight.features import Extractor, Layer
from flawsight.inference.feature_pass import release
from flawsight.selection import Candidate, LayerSelection, ValidationSet, memory, runner
from flawsight.selection.memory import groups_that_fit, memory_limit, working_memory
from flawsight.selection.race.fidelity import Fidelity, high_fidelity, low_fidelity
from flawsight.settings import SearchOptions

MIB = 1 << 20
MIDDLE = 24 * MIB
"""Enough for some layers of a small search, not for all."""
INPUT = np.zeros((32, 32, 3), np.uint8)
MASK = np.eye(32, dtype=bool)
VALIDATION = ValidationSet([INPUT] * 14, [INPUT] * 2, {"nsa": ([INPUT] * 4, [MASK] * 4)}, Product())
DETECTORS = {"patchcore": PatchCore(), "gaussian": Gaussian()}
STAGES = {
    "full": high_fidelity(DETECTORS, VALIDATION, 64),
    "coarse": low_fidelity(DETECTORS, VALIDATION, 64),
    "no sample": high_fidelity(DETECTORS | {"patchcore": PatchCore(max_descriptors=None)}, VALIDATION, 64),
}
stages = st.sampled_from(sorted(STAGES)).map(STAGES.__getitem__)
budgets = st.integers(0, 1 << 34)


def layer(order: int, channels: int, side: int) -> Layer:
    return Layer(f"layer{order}", "conv", "block", channels, side, side, 256 / side, order)


sizes = st.tuples(st.integers(1, 2000), st.sampled_from([2, 4, 8, 16, 32, 64, 128]))
catalogues = st.lists(sizes, max_size=60).map(lambda found: [layer(order, *size) for order, size in enumerate(found)])
readers = st.sampled_from([("patchcore",), ("gaussian",), ("patchcore", "gaussian")])


def tried(layers: list[Layer], names: tuple[str, ...] = ("patchcore",)) -> list[Candidate]:
    return [Candidate(one.name, name) for one in layers for name in names]


def grouped(layers: list[Layer], candidates: list[Candidate], stage: Fidelity, budget: int) -> list[list[Candidate]]:
    return groups_that_fit(candidates, {one.name: one for one in layers}, stage, budget)


@given(catalogues, readers, stages, budgets)
def test_every_candidate_is_in_one_group_and_in_order(
    layers: list[Layer], names: tuple[str, ...], stage: Fidelity, budget: int
) -> None:
    groups = grouped(layers, tried(layers, names), stage, budget)
    assert [one for group in groups for one in group] == tried(layers, names)
    assert all(groups) and all(len(group) <= memory.MOST_TOGETHER for group in groups)


@given(catalogues, readers, stages, budgets, budgets)
def test_more_memory_never_makes_more_groups(
    layers: list[Layer], names: tuple[str, ...], stage: Fidelity, one: int, other: int
) -> None:
    few, many = (grouped(layers, tried(layers, names), stage, budget) for budget in sorted((one, other), reverse=True))
    assert len(few) <= len(many)


@given(catalogues, readers, stages)
def test_no_memory_makes_a_group_of_every_candidate(
    layers: list[Layer], names: tuple[str, ...], stage: Fidelity
) -> None:
    assert grouped(layers, tried(layers, names), stage, 1) == [[one] for one in tried(layers, names)]


@given(catalogues, readers, stages)
def test_much_memory_makes_one_group_of_a_common_catalogue(
    layers: list[Layer], names: tuple[str, ...], stage: Fidelity
) -> None:
    expected = [tried(layers, names)] if layers else []
    assert grouped(layers, tried(layers, names), stage, 1 << 50) == expected


@given(catalogues, readers, stages, st.integers(1, 1 << 30))
def test_a_candidate_joins_a_group_for_as_long_as_there_is_memory(
    layers: list[Layer], names: tuple[str, ...], stage: Fidelity, budget: int
) -> None:
    """What a group gathers is at least what its detectors hold."""
    by_name = {one.name: one for one in layers}
    for group in grouped(layers, tried(layers, names), stage, budget):
        held = [
            stage.detectors[one.detector].collected_bytes(
                by_name[one.layer].channels,
                by_name[one.layer].height * by_name[one.layer].width,
                len(stage.validation.train),
            )
            for one in group
        ]
        assert len(group) == 1 or sum(held) <= budget


@given(sizes, st.integers(1, 80), stages, st.integers(1, 1 << 32))
def test_equal_layers_make_equal_groups(size: tuple[int, int], count: int, stage: Fidelity, budget: int) -> None:
    layers = [layer(order, *size) for order in range(count)]
    lengths = [len(group) for group in grouped(layers, tried(layers), stage, budget)]
    assert set(lengths[:-1]) <= {lengths[0]} and lengths[-1] <= lengths[0]


def test_what_was_asked_is_the_limit() -> None:
    assert memory_limit(5 * MIB) == 5 * MIB
    assert 0 < memory_limit(None) <= memory.DEFAULT_LIMIT


def taken() -> int:
    release()  # what others have freed may lie about
    return int(psutil.Process().memory_info().rss)


def test_what_is_left_is_the_limit_less_what_is_taken() -> None:
    """Hardly less: estimates leave a share of the limit alone, so that it holds."""
    for limit in (taken() + more * MIB for more in (900, 1500, 9000)):
        assert 0.8 * limit - taken() - 40 * MIB <= working_memory(limit) <= limit - taken() + 40 * MIB
    ballast = np.ones(100 * MIB, np.uint8)
    limit = taken() + 1500 * MIB
    with_ballast = working_memory(limit)
    del ballast
    assert working_memory(limit) - with_ballast == pytest.approx(100 * MIB, abs=30 * MIB)


def test_without_a_limit_there_is_always_enough_to_work_with(monkeypatch: pytest.MonkeyPatch) -> None:
    assert working_memory(None) >= memory.LEAST_WORKING
    monkeypatch.setattr(memory, "_taken", lambda: 5 << 30)
    assert working_memory(None) == memory.LEAST_WORKING


@pytest.mark.parametrize("limit", [1, 100 * MIB, None])
def test_too_small_a_limit_is_refused(limit: int | None) -> None:
    with pytest.raises(FlawsightError, match=r"too little.* taken already.*--max-memory \d+\.\dG"):
        working_memory(limit if limit is not None else taken())


@pytest.mark.parametrize("gib", [0.31, 0.7, 1.0, 1.53, 3.2, 40.0])
def test_the_advice_works(gib: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_taken", lambda: int(gib * (1 << 30)))
    with pytest.raises(FlawsightError) as refused:
        working_memory(1)
    (advice,) = re.findall(r"--max-memory (\S+)", str(refused.value))
    assert working_memory(SearchOptions.of({"max_memory": advice}).max_memory) >= memory.LEAST_WORKING


def found(selection: LayerSelection) -> tuple[object, ...]:
    """All that a search finds; how long it took is none of it."""
    rows = [replace(row, seconds=0.0) for row in selection.results()]
    figures = {(trial.stage, trial.candidate): trial.figures for trial in selection.trials_}
    maps = [(trial.candidate, kind, maps.tobytes()) for trial in selection.trials_ for kind, maps in trial.maps.items()]
    return selection.selected_, selection.figures_, rows, figures, maps


def test_results_do_not_depend_on_the_memory(
    network: Extractor, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"patchcore": PatchCore(bank_size=100), "gaussian": Gaussian(dims=8)}
    settings = {"layers": "blocks.1.0.bn?,blocks.3.0.bn?", "defects": "simple", "finalists": 2, "seed": 3}
    groups: dict[int, list[int]] = {1: [], MIDDLE: [], 1 << 40: []}
    run_trials = runner.run_trials

    def counted(extractor: Extractor, layers: list[Layer], *rest: object) -> object:
        groups[budget].append(len(layers))
        return run_trials(extractor, layers, *rest)

    monkeypatch.setattr(runner, "run_trials", counted)
    monkeypatch.setattr(memory, "n_jobs", lambda: 2)  # the groups of any machine
    before = torch.get_num_threads()
    torch.set_num_threads(2)  # a group of one learns with all of torch's threads, others share them
    results = []
    try:
        for budget in groups:
            monkeypatch.setattr(runner, "working_memory", lambda _, budget=budget: budget)
            results.append(found(LayerSelection(both, **settings).fit(network, images)))
    finally:
        torch.set_num_threads(before)
    tiny, middle, large = groups.values()
    # In the coarse round, the full one, and for other readings of those chosen.
    assert max(tiny) == 1 and len(large) == 3 < len(middle) < len(tiny) == sum(large)
    assert results[0] == results[1] == results[2]


def test_a_search_that_cannot_work_says_so(network: Extractor, images: list[np.ndarray]) -> None:
    with pytest.raises(FlawsightError, match="--max-memory"):
        LayerSelection(PatchCore(bank_size=100), "blocks.3.0.bn3", "simple", max_memory=MIB).fit(network, images)
