"""A time for each picture: what is chosen keeps to it, sees best of what does, and is timed as a whole."""

from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.core import FlawsightError, Silent
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.metrics import Metrics
from flawsight.selection import Candidate, LayerSelection, Option, SelectedLayer, TimedChoice, pareto_front

LAYERS = ("blocks.1.1.add", "blocks.2.1.add", "blocks.4.2.add")


class Watch:
    """Times by name; the whole takes what it is told to."""

    def __init__(self, whole: float) -> None:
        self.whole_takes, self.asked = whole, []

    def network(self, layer: fs.core.Layer) -> float:  # type: ignore[name-defined]
        return {"blocks.1.1.add": 1.0, "blocks.2.1.add": 2.0, "blocks.4.2.add": 4.0}[layer.name]

    def rest(self, layer: fs.core.Layer, detector: object) -> float:  # type: ignore[name-defined]
        return {"blocks.1.1.add": 8.0, "blocks.2.1.add": 3.0, "blocks.4.2.add": 1.0}[layer.name]

    def whole(self, members: list) -> float:
        self.asked.append(tuple(name for names, _ in members for name in names))
        return self.whole_takes


def choice(network: Extractor, budget: float, whole: float = 0.0) -> TimedChoice:
    found = TimedChoice(network, network.layers, {"patchcore": PatchCore(bank_size=10)}, [], budget)
    found.stopwatch = Watch(whole)  # type: ignore[assignment]
    return found


CANDIDATES = [Candidate(name, "patchcore") for name in LAYERS]


def together(choices: tuple[SelectedLayer, ...]) -> dict[str, Metrics]:
    """More layers see more, the fine one most."""
    value = 0.4 + sum({LAYERS[0]: 0.15, LAYERS[1]: 0.12, LAYERS[2]: 0.1}[one.layer] for one in choices)
    return {"nsa": Metrics(value, value)}


def test_who_is_too_slow_alone_is_not_measured_in_full(network: Extractor) -> None:
    assert choice(network, 6).quick_enough(CANDIDATES, Silent()) == CANDIDATES[1:]
    with pytest.raises(FlawsightError, match=r"keeps to 4 ms .* fastest takes 5\.0"):
        choice(network, 4).quick_enough(CANDIDATES, Silent())


def test_every_choice_is_an_option_and_the_network_runs_once(network: Extractor) -> None:
    timed = choice(network, 100)
    timed.quick_enough(CANDIDATES, Silent())
    options = timed.options(dict.fromkeys(CANDIDATES, 1.0), 3, together)
    assert len(options) == 7
    cost = {tuple(one.layer for one in option.choices): option.milliseconds for option in options}
    assert cost[LAYERS] == 4 + 8 + 3 + 1 and cost[LAYERS[:1]] == 9 and cost[LAYERS[1:]] == 4 + 3 + 1
    assert all(sum(one.weight for one in option.choices) == pytest.approx(1) for option in options)
    assert len(timed.options(dict.fromkeys(CANDIDATES, 1.0), 1, together)) == 3


@pytest.mark.parametrize(("budget", "expected"), [(20, LAYERS), (12, LAYERS[:2]), (6.5, LAYERS[1:])])
def test_the_best_that_keeps_to_it(network: Extractor, budget: float, expected: tuple[str, ...]) -> None:
    timed = choice(network, 100)
    timed.quick_enough(CANDIDATES, Silent())
    options = timed.options(dict.fromkeys(CANDIDATES, 1.0), 3, together)
    timed.budget = budget
    best = timed.best(options)
    assert tuple(one.layer for one in best.choices) == expected and best.milliseconds == 0


def test_what_is_slow_as_a_whole_is_not_chosen(network: Extractor) -> None:
    timed = choice(network, 100, whole=21)
    timed.quick_enough(CANDIDATES, Silent())
    options = timed.options(dict.fromkeys(CANDIDATES, 1.0), 3, together)
    timed.budget = 20
    with pytest.raises(FlawsightError, match="keeps to 20 ms"):
        timed.best(options)
    assert len(timed.stopwatch.asked) == 7  # type: ignore[attr-defined]


def test_the_front_rises() -> None:
    rng = np.random.default_rng(0)
    some = SelectedLayer(Candidate("a", "patchcore"), "fine", 1.0, 1.0)
    options = [Option((some,), ms, {"nsa": Metrics(p, p)}) for ms, p in rng.random((40, 2)).tolist()]
    front = pareto_front(options)
    for one in options:  # nothing is better in both
        assert any(other.milliseconds <= one.milliseconds and other.p_h >= one.p_h for other in front)
    speeds, values = ([getattr(one, name) for one in front] for name in ("milliseconds", "p_h"))
    assert speeds == sorted(speeds) and values == sorted(values)


def test_a_fit_within_a_budget(good_dir: Path, fit_options: dict, tmp_path: Path) -> None:
    options = fit_options | {"layers": "blocks.1.0.bn3,blocks.3.0.bn3", "latency_budget": "10s", "defects": "scratch"}
    options |= {"export": "none"}
    result = fs.run_fit(fs.FitSettings.of({"good": good_dir, "out": tmp_path / "b", **options}))
    selection = result.record.selection
    assert isinstance(selection, LayerSelection) and selection.options_[-1].choices == selection.selected_
    assert all(row.milliseconds > 0 for row in selection.results() if not row.variant)
    assert "What speed costs" in (tmp_path / "b" / "report.html").read_text()
    assert "milliseconds" in (tmp_path / "b" / "selection.csv").read_text().splitlines()[0]
    with pytest.raises(FlawsightError, match=r"latency-budget '5 apples'.*15ms"):
        fs.FitSettings.of({"good": good_dir, "out": None, "latency_budget": "5 apples"})
    with pytest.raises(FlawsightError, match="no effect"):
        fs.fit(good_dir, fixed_layers="blocks.3.0.bn3", image_size=64, latency_budget=5)
