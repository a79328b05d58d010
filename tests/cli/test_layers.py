"""The verb `layers` with receptive fields."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from flawsight.features import EXTRACTORS, Extractor, effective_receptive_fields

SMALL = ("small", "--image-size", "32", "--device", "cpu")
GREY = (0.5, 0.5, 0.5)


def network(image_size: int) -> tuple:
    torch.manual_seed(0)
    parts = [part for at in range(5) for part in (nn.Conv2d(8 if at else 3, 8, 3, 1, 1), nn.ReLU())]
    return nn.Sequential(*parts), GREY, GREY


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of its own, whose fields are kept in a folder of its own."""
    monkeypatch.setitem(EXTRACTORS, "small", network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_they_are_those_of_the_network(flawsight: Callable, tmp_path: Path) -> None:
    done = flawsight("layers", *SMALL, "--receptive-field", "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["layers"]
    expected = effective_receptive_fields(Extractor("small", image_size=32, device="cpu"), cache=tmp_path / "other")
    found = {row["name"]: (row["receptive_field"], row["relative_receptive_field"]) for row in rows}
    assert found == {name: tuple(field) for name, field in expected.items()}
    table = flawsight("layers", *SMALL, "--receptive-field").out
    assert f"{rows[0]['receptive_field']:.1f} px" in table and f"{rows[0]['relative_receptive_field']:.3f}" in table
    plain = flawsight("layers", *SMALL, "--json")
    assert not {"receptive_field", "relative_receptive_field"} & json.loads(plain.out)["layers"][0].keys()
    assert "px" not in flawsight("layers", *SMALL).out


def test_on_pictures_of_the_product(flawsight: Callable, good_dir: Path) -> None:
    def fields(*options: object) -> list[float]:
        done = flawsight("layers", *SMALL, "--receptive-field", "--json", *options)
        assert done.code == 0, done.err
        return [row["receptive_field"] for row in json.loads(done.out)["layers"]]

    assert fields("--good", good_dir) != fields()


def test_where_nothing_is_measured_pictures_are_not_asked_for(flawsight: Callable, tmp_path: Path) -> None:
    flawsight("layers", *SMALL, "--good", tmp_path).refused("--good has no effect here", "--receptive-field")
    flawsight("layers", *SMALL, "--receptive-field", "--good", tmp_path / "none").refused("none")
    flawsight("layers", "--weights", tmp_path / "none.pth", "--image-size", "32").refused("none.pth", "--weights")
