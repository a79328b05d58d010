"""Beyond single layers in one way: the pair read as one, and every chosen layer read by single positions, too."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import JOIN, Layer
from flawsight.detectors import DetectorTags, Gaussian, PatchCore
from flawsight.features import JOINED, Extractor, joined_layer
from flawsight.selection import Candidate, LayerSelection, Metrics, Trial, criterion, select_per_depth
from flawsight.selection.fusion import rated

LAYERS = "blocks.1.1.add,blocks.2.1.add,blocks.4.2.add"
PAIR = "blocks.2.1.add+blocks.4.2.add"
SETTINGS = {"layers": LAYERS, "defects": "nsa", "seed": 3}


@pytest.fixture(scope="module")
def searched(network: Extractor, images: list[np.ndarray]) -> LayerSelection:
    return LayerSelection(PatchCore(bank_size=60), **SETTINGS).fit(network, images)


def test_the_pair_is_a_candidate(searched: LayerSelection, network: Extractor, images: list[np.ndarray]) -> None:
    tried = {trial.layer: trial for trial in searched.trials_ if trial.stage == "full"}
    assert PAIR in tried and PAIR not in {trial.layer for trial in searched.trials_ if trial.stage == "coarse"}
    assert {row.kind for row in searched.results() if row.layer == PAIR} == {JOINED}
    # Its maps are those of a detector that is given both layers.
    validation, names = searched.validation_, PAIR.split(JOIN)
    with torch.inference_mode():
        fitted = PatchCore(bank_size=60).fit(list(network.extract(validation.train, names).values()))
        maps = fitted.anomaly_maps(list(network.extract(validation.good, names).values())).numpy()
    kept = tried[PAIR].maps["good"]
    order = np.argsort(maps.ravel())
    assert kept.shape == maps.shape and (np.diff(kept.ravel()[order]) >= -1e-5).all()  # calibrated, so in one order


@pytest.mark.parametrize("changed", [{"search": "exhaustive"}, {"fuse": 1}, {"search": "once"}], ids=str)
def test_elsewhere_layers_are_single_and_read_once(changed: dict, network: Extractor, images: list[np.ndarray]) -> None:
    found = LayerSelection(PatchCore(bank_size=60), **SETTINGS | changed).fit(network, images)
    assert all(len(trial.candidate.layers) == 1 and not trial.candidate.variant for trial in found.trials_)


def test_no_pair_where_only_one_of_it_may_be_read(network: Extractor, images: list[np.ndarray]) -> None:
    settings = SETTINGS | {"layers": "blocks.1.1.add,blocks.2.1.add"}
    found = LayerSelection(PatchCore(bank_size=60), **settings).fit(network, images)
    assert JOINED not in {layer.kind for layer in found.layers_}


def test_what_is_chosen_is_read_by_single_positions_too(searched: LayerSelection) -> None:
    readings = {trial.candidate for trial in searched.trials_ if trial.candidate.variant}
    full = {trial.candidate for trial in searched.trials_ if trial.stage == "full"}
    assert readings and {one._replace(variant="") for one in readings} <= full
    assert {one.variant for one in readings} == {"neighbourhood=1"}
    weights = {choice.candidate: choice.weight for choice in searched.selected_}
    assert sum(weights.values()) == pytest.approx(1)
    one, *others = searched.selected_
    for other in others:
        assert math.log(one.weight / other.weight) == pytest.approx((one.criterion - other.criterion) / 0.6)
    left_out = readings - weights.keys()
    least = min(searched.selected_, key=lambda choice: choice.criterion)
    values = {row.variant: row for row in searched.results()}
    assert "neighbourhood=1" in values and len(left_out) < len(readings) + 1 and least.weight >= 0.03


def test_other_readings_are_the_same_detector_but_for_what_they_say() -> None:
    given_detector = PatchCore(bank_size=60, neighbours=2, seed=7)
    (variant,) = given_detector.variants().values()
    assert variant.get_params() == given_detector.get_params() | {"neighbourhood": 1}
    assert PatchCore(neighbourhood=1).variants() == {} == Gaussian().variants()
    candidate = Candidate("a+b", "patchcore", "neighbourhood=1")
    assert candidate.reader({"patchcore": given_detector}).get_params() == variant.get_params()
    assert candidate._replace(variant="").reader({"patchcore": given_detector}) is given_detector


def layer(number: int, stride: float) -> Layer:
    return Layer(f"layer{number}", "conv", "block", 8, round(64 / stride), round(64 / stride), stride, number)


SINGLE = [layer(number, stride) for number, stride in enumerate((4, 8, 16))]
ALL = [*SINGLE, joined_layer(SINGLE[1:])]
criteria = st.lists(st.floats(-5, 5), min_size=4, max_size=4, unique=True)


@given(criteria, st.integers(2, 4))
def test_the_pair_takes_part_where_it_leads(values: list[float], fuse: int) -> None:
    found = {Candidate(one.name, "gaussian"): value for one, value in zip(ALL, values, strict=True)}
    chosen = select_per_depth(found, ALL, fuse)
    joined = [choice for choice in chosen if choice.depth == JOINED]
    assert len(joined) == (values[3] == max(values))
    alone = {one: value for one, value in found.items() if JOIN not in one.layer}
    others = [choice.candidate for choice in chosen if choice.depth != JOINED]
    assert set(others) <= {choice.candidate for choice in select_per_depth(alone, SINGLE, fuse)}
    if not joined:
        assert chosen == select_per_depth(alone, SINGLE, fuse)


class Joining(PatchCore):
    """One that gains from joined layers beyond what synthetic defects may say."""

    bonus = 100.0

    @property
    def tags(self) -> DetectorTags:
        return DetectorTags(joined_bonus=self.bonus)


def test_only_what_is_joined_is_raised_and_by_its_own_detector() -> None:
    figures = {"nsa": Metrics(0.9, 0.6), "scratch": Metrics(0.7, 0.8)}
    readers = {"joining": Joining(), "patchcore": PatchCore()}
    made = [Trial(Candidate(layer, name), "full", 0.0, figures, {}, {}) for layer in ("a", "a+b") for name in readers]
    value = {one: found - criterion(figures) for one, found in rated(made, readers).items()}
    assert value.pop(Candidate("a+b", "joining")) == pytest.approx(100)
    assert set(value.values()) == {0.0} and len(value) == 3


def test_a_method_that_gains_from_joined_layers_reads_them(
    searched: LayerSelection, network: Extractor, images: list[np.ndarray]
) -> None:
    found = LayerSelection(Joining(bank_size=60), **SETTINGS).fit(network, images)
    assert {choice.layer for choice in found.selected_} == {PAIR}  # nothing else weighs 3 % beside such a bonus
    usual, now = (
        {one.layer: one.figures for one in search.trials_ if one.stage == "full" and not one.candidate.variant}
        for search in (searched, found)
    )
    assert usual == now  # what was measured is reported as it was measured


def test_joined_layers_lie_on_the_finest_grid() -> None:
    pair = ALL[3]
    assert (pair.parts, pair.channels, pair.height, pair.stride) == (("layer1", "layer2"), 16, 8, 8)
    assert SINGLE[0].parts == ("layer0",)


def test_a_search_goes_on_with_readings_that_are_there(
    searched: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path, calls: list
) -> None:
    first = LayerSelection(PatchCore(bank_size=60), **SETTINGS).fit(network, images, tmp_path, "these")
    assert first.selected_ == searched.selected_ and any(one.variant for _, one in calls)
    calls.clear()
    again = LayerSelection(PatchCore(bank_size=60), **SETTINGS).fit(network, images, tmp_path, "these")
    assert not calls and again.selected_ == first.selected_ and again.figures_ == first.figures_
