"""`evenly:N` in a fit: a set to choose from, or members of their own."""

from pathlib import Path

import pytest

import flawsight as fs
from flawsight.core import Silent
from flawsight.features import Extractor, ReceptiveField
from flawsight.pipeline.choose import Networks, with_named_layers
from flawsight.pipeline.plan import make_plan
from flawsight.settings import FitSettings


@pytest.fixture(autouse=True)
def expected(network: Extractor, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fields grow from layer to layer; the three layers that are then spread evenly."""
    fields = {layer.name: ReceptiveField(layer.order, layer.order / 1000) for layer in network.layers}
    monkeypatch.setattr("flawsight.features.extractor.effective_receptive_fields", lambda *_, **__: fields)
    middle = min((one for one in network.layers if not one.same_as), key=lambda one: abs(one.order - 147 / 2))
    return [network.layers[0].name, middle.name, network.layers[-1].name]


def test_layers_to_choose_from(good_dir: Path, fit_options: dict, expected: list[str]) -> None:
    options = fit_options | {"layers": "evenly:3", "defects": "simple", "fuse": 1, "pod": False}
    found = fs.run_fit(FitSettings.of({"good": good_dir, "out": None, **options})).record.selection
    assert found is not None and [layer.name for layer in found.layers_] == expected
    assert {trial.layer for trial in found.trials_} == set(expected)


def test_members_that_read_one_each(good_dir: Path, fixed_options: dict, tmp_path: Path, expected: list[str]) -> None:
    options = fixed_options | {"fixed_layers": "evenly:3,blocks.3.0.bn3+blocks.1.0.bn3", "export": "none", "pod": False}
    inspector = fs.fit(good_dir, tmp_path / "b", **options)
    assert inspector.layers == (*((name,) for name in expected), ("blocks.3.0.bn3", "blocks.1.0.bn3"))
    assert {member.weight for member in inspector.backend.members} == {0.25}
    assert fs.load(tmp_path / "b", device="cpu").layers == inspector.layers
    with pytest.raises(fs.FlawsightError, match="'evenly:0': write evenly: and how many layers"):
        fs.fit(good_dir, **(options | {"fixed_layers": "evenly:0"}))


@pytest.mark.parametrize("option", ["fixed_layers", "layers"])
def test_a_method_that_reads_all_at_once_reads_them_in_one(
    good_dir: Path, fixed_options: dict, expected: list[str], option: str
) -> None:
    given = {"good": good_dir, "out": None, **fixed_options, "detector": "realnet", option: "evenly:3"}
    settings = FitSettings.of(given)
    plan = with_named_layers(make_plan(settings), Networks(settings), Silent())
    # Of those to choose from it reads the ends of stages from stride 4 on.
    assert plan.fixed == (tuple(expected if option == "fixed_layers" else expected[1:2]),)
