"""Warm starts: who is searched in full, what is proposed to whom, and that a proposal is doubted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

import flawsight as fs
from flawsight.core import Silent
from flawsight.executors import InLine
from flawsight.fleet import Product, find_products
from flawsight.fleet.alike import EACH, ProductFeatures, warm_starts
from flawsight.pipeline.choose import Networks
from flawsight.selection import LayerSelection, criterion
from flawsight.settings import FitAllSettings


@pytest.fixture
def two_sorts(tmp_path: Path, plant: Path) -> Path:
    """Six products: three textures, and three of flat colour with a disc."""
    rng = np.random.default_rng(0)
    for number in range(3):
        folder = plant / f"disc{number}" / "train" / "good"
        folder.mkdir(parents=True)
        y, x = np.mgrid[:80, :96]
        for seed in range(16):
            disc = ((y - 40) ** 2 + (x - 48) ** 2 < (24 + 2 * number) ** 2) * 140.0
            image = 40 + disc[..., None] * [1.0, 0.3, 0.3] + rng.normal(0, 3, (80, 96, 3))
            Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"{seed:03d}.png")
    return plant


def products(plant: Path, quick: dict[str, Any]) -> list[Any]:
    options = {**quick, "layers": "all"}
    return find_products(FitAllSettings.of({"products": plant, "out": plant.parent / "bundles", **options}))


def test_products_of_a_sort_have_features_alike(two_sorts: Path, quick: dict[str, Any]) -> None:
    values = {one.name: ProductFeatures()(one) for one in products(two_sorts, quick)}
    assert all(np.linalg.norm(one) == pytest.approx(1, abs=1e-5) for one in values.values())
    apart = np.linalg.norm(values["disc0"] - values["cap"])
    assert np.linalg.norm(values["disc0"] - values["disc2"]) < apart / 2
    assert np.linalg.norm(values["nut"] - values["cap"]) < apart / 2


def test_some_are_searched_in_full_and_the_rest_is_told(two_sorts: Path, quick: dict[str, Any]) -> None:
    everyone = products(two_sorts, quick)
    rounds = warm_starts(everyone, InLine(), Silent())
    pilots, none = next(rounds)
    assert len(pilots) == 3 and none == {}
    sorts = {one.name[:4] for one in pilots}
    assert "disc" in sorts and len(sorts) > 1  # of each sort one at least
    seen = {"disc": "blocks.3.0.bn3", "else": "blocks.1.0.bn3"}
    for one in pilots:  # as if they had been searched
        assert one.settings.out is not None
        one.settings.out.mkdir(parents=True)
        best = seen["disc" if one.name.startswith("disc") else "else"]
        names = [layer.name for layer in Networks(one.settings).at(64).layers if not layer.same_as]
        rows = [f"{name},patchcore,nsa,,{0.9 if name == best else 0.5},0.5" for name in names]
        rows.append("blocks.1.0.twin,patchcore,nsa,blocks.1.0.bn3,1.0,1.0")
        (one.settings.out / "selection.csv").write_text(
            "layer,detector,defects,same_as,auroc,aupro\n" + "\n".join(rows)
        )
    rest, first = next(rounds)
    assert {one.name for one in rest} == {one.name for one in everyone} - {one.name for one in pilots} == set(first)
    for name, layers in first.items():
        proposed = layers.split(",")
        assert 3 * EACH <= len(proposed) <= 2 * 3 * EACH and "blocks.1.0.twin" not in proposed
        assert seen["disc" if name.startswith("disc") else "else"] in proposed
    assert next(rounds, None) is None


def test_few_products_are_all_searched_in_full(plant: Path, quick: dict[str, Any]) -> None:
    ((everyone, first),) = warm_starts(products(plant, quick), InLine(), Silent())
    assert len(everyone) == 3 and first == {}


def test_a_product_that_cannot_be_read_is_left_to_its_fit(two_sorts: Path, quick: dict[str, Any]) -> None:
    (two_sorts / "bolt").mkdir()
    rounds = warm_starts(products(two_sorts, quick), InLine(), Silent())
    assert "bolt" in {one.name for one in next(rounds)[0]}


@pytest.mark.parametrize("options", [{"search": "exhaustive"}, {"detector": "realnet", "defects": "perlin"}])
def test_who_does_not_search_is_told_nothing(plant: Path, quick: dict[str, Any], options: dict[str, Any]) -> None:
    everyone = [
        Product(one.name, one.settings.model_copy(update=options)) for one in products(plant, quick) for _ in range(2)
    ]
    ((some, first),) = warm_starts(everyone, InLine(), Silent())
    assert len(some) == len(everyone) and first == {}


def searched(texture: Callable[..., np.ndarray], network: Any, first: str | None) -> LayerSelection:
    detector, images = fs.detectors.PatchCore(bank_size=50), [cv2.resize(texture(seed), (64, 64)) for seed in range(16)]
    return LayerSelection(detector, defects="nsa", seed=1, first=first).fit(network, images)


def test_what_is_proposed_is_tried_first_and_the_rest_sampled(texture: Callable[..., np.ndarray], network: Any) -> None:
    cold = searched(texture, network, None)
    coarse = {trial.layer: criterion(trial.figures) for trial in cold.trials_ if trial.stage == "coarse"}
    winners = [
        trial.layer
        for trial in cold.trials_
        if trial.stage == "full" and len(trial.candidate.layers) == 1 and not trial.candidate.variant
    ]
    warm = searched(texture, network, ",".join(winners))
    tried = {trial.layer for trial in warm.trials_ if trial.stage == "coarse"}
    assert set(winners) <= tried and len(tried) < len(coarse)
    assert warm.selected_ == cold.selected_  # what had won is among them


def test_a_proposal_that_is_not_to_choose_from_is_passed_over(texture: Callable[..., np.ndarray], network: Any) -> None:
    images = [cv2.resize(texture(seed), (64, 64)) for seed in range(16)]
    search = LayerSelection(fs.detectors.PatchCore(bank_size=50), "blocks.3.0.*", "nsa", seed=1)
    cold = clone(search).fit(network, images)
    warm = clone(search).set_params(first="blocks.1.0.bn3").fit(network, images)
    assert warm.selected_ == cold.selected_
    with pytest.raises(fs.FlawsightError, match="unknown layer 'nonsense'"):
        clone(search).set_params(first="nonsense").fit(network, images)


def test_bad_proposals_are_doubted(texture: Callable[..., np.ndarray], network: Any) -> None:
    cold = searched(texture, network, None)
    coarse = {trial.layer: criterion(trial.figures) for trial in cold.trials_ if trial.stage == "coarse"}
    worst = min(coarse, key=coarse.__getitem__)
    warm = searched(texture, network, worst)
    tried = {trial.layer for trial in warm.trials_ if trial.stage == "coarse"}
    best = max(criterion(trial.figures) for trial in warm.trials_ if trial.stage == "full")
    assert len(tried) > 13 and best >= max(criterion(t.figures) for t in cold.trials_ if t.stage == "full") - 0.2
