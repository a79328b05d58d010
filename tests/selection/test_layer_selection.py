"""The search: figures against an independent recomputation, paper A's rule, and the rows it leaves."""

import cv2
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from flawsight.core import FlawsightError
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.metrics import aupro
from flawsight.selection import (
    AUTO_KINDS,
    Candidate,
    LayerSelection,
    defect_kinds,
    make_validation_set,
)

DETECTOR = PatchCore(bank_size=100)


def chosen(selection: LayerSelection) -> list[tuple[str, float, float]]:
    return [(c.layer, c.criterion, c.weight) for c in selection.selected_]


def figures(selection: LayerSelection) -> dict:
    return {(t.stage, t.candidate): t.figures for t in selection.trials_}


def by(layer: str) -> Candidate:
    return Candidate(layer, "patchcore")


def test_figures_equal_an_independent_recomputation(
    exhaustive: LayerSelection, network: Extractor, images: list[np.ndarray]
) -> None:
    validation = make_validation_set(images, ("nsa",), 3)
    bad, masks = validation.bad["nsa"]
    for name in ("blocks.1.0.bn2", "blocks.3.0.conv_pwl"):
        with torch.inference_mode():
            train = network.extract(validation.train, [name])[name]
            detector = clone(DETECTOR).fit([train])
            maps = detector.anomaly_maps([network.extract([*validation.good, *bad], [name])[name]]).numpy()
        # Surprise: minus the log of the share of good pixels that reach a value; here from sorted ranks.
        good = np.sort(maps[: len(validation.good)].ravel())
        levels = np.linspace(0, -np.log(0.005), 64)
        knots = good[((1 - np.exp(-levels)) * (good.size - 1)).astype(int)].astype(float)
        tail = (good[good > knots[-1]] - knots[-1]).mean(dtype=float)
        surprise = np.interp(maps, knots, levels) + np.maximum(maps - knots[-1], 0) / tail
        squares = [
            cv2.GaussianBlur(cv2.resize(one.astype(np.float32), (64, 64)), (0, 0), 1, borderType=cv2.BORDER_REFLECT)
            for one in surprise
        ]
        labels = [0] * len(validation.good) + [1] * len(bad)
        truth = [np.zeros((64, 64), bool)] * len(validation.good) + list(masks)
        found = figures(exhaustive)["full", by(name)]["nsa"]
        assert found.auroc == pytest.approx(roc_auc_score(labels, [one.max() for one in squares]))
        assert found.aupro == pytest.approx(aupro(squares, truth, 0.3), abs=1e-3)
        assert found.p_h == pytest.approx(2 * found.auroc * found.aupro / (found.auroc + found.aupro))


def test_exhaustive_on_one_kind_is_the_argmax_of_p_h_over_all_layers(
    exhaustive: LayerSelection, network: Extractor
) -> None:
    rows = exhaustive.results()
    best = max(row.p_h for row in rows)
    (choice,) = exhaustive.selected_
    assert choice.layer in {row.layer for row in rows if row.p_h == best}
    assert choice.weight == 1 and choice.detector == "patchcore"
    assert exhaustive.figures_["nsa"] == figures(exhaustive)["full", choice.candidate]["nsa"]
    in_catalogue = [layer.name for layer in network.layers if layer.name.startswith(("blocks.1.0.", "blocks.3.0."))]
    assert [row.layer for row in rows] == in_catalogue


def test_rows_hold_every_layer_and_kind_and_repeats_share_a_trial(auto: LayerSelection, network: Extractor) -> None:
    rows = [row for row in auto.results() if not row.variant]
    names = [layer.name for layer in network.layers if layer.name.startswith(("blocks.1.0.", "blocks.3.0."))]
    assert [(row.layer, row.defects) for row in rows] == [(name, kind) for name in names for kind in ("nsa", "simple")]
    by_name = {(row.layer, row.defects): row for row in rows}
    repeats = [row for row in rows if row.same_as]
    assert {row.layer for row in repeats} == {f"blocks.{b}.0.{n}" for b in (1, 3) for n in ("aa", "se")}
    for row in repeats:
        source = by_name[row.same_as, row.defects]
        assert (row.auroc, row.aupro, row.seconds) == (source.auroc, source.aupro, source.seconds)
        assert row.layer not in {trial.layer for trial in auto.trials_}
    full = {trial.layer for trial in auto.trials_ if trial.stage == "full"}
    assert {row.stage == "full" for row in rows if (row.same_as or row.layer) in full} == {True}
    assert {row.stage for row in rows if (row.same_as or row.layer) not in full} == {"coarse"}
    assert all(0 <= value <= 1 for row in rows for value in (row.auroc, row.aupro, row.p_h))
    assert all(row.seconds > 0 for row in rows)


def test_a_repeat_that_is_named_alone_brings_its_source(network: Extractor, images: list[np.ndarray]) -> None:
    alone = LayerSelection(DETECTOR, "blocks.3.0.se", "simple", "exhaustive", fuse=1).fit(network, images)
    assert [choice.layer for choice in alone.selected_] == ["blocks.3.0.bn2"]
    assert [(row.layer, row.same_as) for row in alone.results()] == [("blocks.3.0.se", "blocks.3.0.bn2")]


def test_only_full_trials_keep_maps_in_memory(auto: LayerSelection) -> None:
    assert all(bool(trial.maps) == (trial.stage == "full") for trial in auto.trials_)


def test_one_seed_one_choice(auto: LayerSelection, network: Extractor, images: list[np.ndarray]) -> None:
    again = clone(auto).fit(network, images)
    assert chosen(again) == chosen(auto)
    assert figures(again) == figures(auto)
    assert again.figures_ == auto.figures_


def test_at_most_so_many_images_are_used(network: Extractor, images: list[np.ndarray]) -> None:
    selection = LayerSelection(DETECTOR, "blocks.3.0.bn3", "simple", max_images=12).fit(network, images)
    assert selection.images_used_ == 12
    everyone = LayerSelection(DETECTOR, "blocks.3.0.bn3", "simple", "exhaustive", max_images=12).fit(network, images)
    assert everyone.images_used_ == 20


def test_kinds() -> None:
    assert defect_kinds("auto") == AUTO_KINDS
    assert defect_kinds(" simple , nsa,simple") == ("simple", "nsa")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"defects": "nsa,nonsuch"}, r"'nonsuch'.*cutpaste"),
        ({"defects": ""}, "unknown kind"),
        ({"search": "quick"}, "'quick'.*auto or exhaustive"),
        ({"layers": "blocks.3.0.bnn2"}, r"blocks\.3\.0\.bn2"),
    ],
)
def test_unknown_names(network: Extractor, images: list[np.ndarray], settings: dict, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        LayerSelection(DETECTOR, **settings).fit(network, images)


def test_a_detector_of_pictures_has_no_layers_to_choose(
    quick_detectors: dict, network: Extractor, images: list[np.ndarray]
) -> None:
    with pytest.raises(FlawsightError, match="'pictures' reads images"):
        LayerSelection({"pictures": quick_detectors["pictures"]()}).fit(network, images)
