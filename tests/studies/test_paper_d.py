"""Paper D's rows, tables and figures, against the detector fitted by hand."""

import math
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from rows_by_value import row
from sklearn.metrics import roc_auc_score

from flawsight.core import FlawsightError
from flawsight.data import find_images
from flawsight.detectors import SimpleNet
from flawsight.features import Extractor
from flawsight.metrics import aupro
from flawsight.scoring import upsample
from flawsight.settings import StudySettings
from flawsight.studies import STUDIES, StudyResult, run_study
from flawsight.studies.papers.d.measure import COLUMNS
from flawsight.views import resize_image

SIDE = 64
LABELS = np.array([0] * 4 + [1] * 4)
SMALL = {"epochs": 2, "max_descriptors": 256, "hidden": 32}
PAIR = ["blocks.2.1.add", "blocks.4.2.add"]


def study(name: str, data: Path, out: Path, **options: object) -> StudyResult:
    return run_study(name, data, out, **{"quick": True, "device": "cpu", "categories": "bands", **options})


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("d")


@pytest.fixture(scope="module")
def squares(bands: Callable) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return bands(SIDE)[:2]


@pytest.fixture(scope="module")
def masks(bands: Callable) -> list[np.ndarray]:
    return bands(SIDE).masks


def by_hand(
    network: Extractor, squares: tuple, layers: list[str], **parameters: object
) -> tuple[SimpleNet, np.ndarray]:
    """A SimpleNet of these layers, and its smoothed maps of the test images."""
    detector = SimpleNet(**{**SMALL, **parameters})
    good, test = (list(network.extract(some, layers).values()) for some in squares)
    detector.fit([good])
    return detector, np.stack([upsample(one, SIDE) for one in detector.anomaly_maps(test).numpy()])


@pytest.fixture(scope="module")
def table_3(products: Path, out: Path) -> StudyResult:
    return study("d-table-3", products, out)


@pytest.mark.parametrize("variant", ["", "adaptor=mlp", "adaptor=none", "loss=cross_entropy"])
def test_a_row_is_the_detector_fitted_by_hand(
    table_3: StudyResult, network: Extractor, squares: tuple, masks: list, variant: str
) -> None:
    changed = dict([variant.split("=")]) if variant else {}
    detector, maps = by_hand(network, squares, PAIR, **changed)
    one = row(table_3, variant=variant)
    assert one["reads"] == "+".join(PAIR) and one["layers"] == "level2+level3"
    assert one["auroc"] == pytest.approx(roc_auc_score(LABELS, maps.max(axis=(1, 2))), abs=1e-5)
    assert one["pixel_auroc"] == pytest.approx(roc_auc_score(np.ravel(masks), maps.ravel()), abs=1e-4)
    assert one["aupro"] == pytest.approx(aupro(list(maps), masks), abs=1e-3)
    assert [float(text) for text in one["losses"].split()] == pytest.approx(detector.losses_.tolist(), rel=1e-3)


def test_the_spread_is_that_of_all_positions(table_3: StudyResult, network: Extractor, squares: tuple) -> None:
    detector, _ = by_hand(network, squares, PAIR)
    some = [squares[0][number] for number in np.linspace(0, 9, 8).round().astype(int)]
    fine, coarse = network.extract(some, PAIR).values()
    pooled = [torch.nn.functional.avg_pool2d(values, 3, 1, 1) for values in (fine, coarse)]
    coarse = torch.nn.functional.interpolate(pooled[1], fine.shape[2:], mode="bilinear")
    local = torch.cat([pooled[0], coarse], dim=1).permute(0, 2, 3, 1).flatten(0, 2)
    one = row(table_3, variant="")
    for column, values in (("spread", local), ("adapted_spread", local @ detector.network_.adaptor[0].weight.T)):
        expected = np.quantile(values.std(0).numpy(), np.linspace(0, 1, 21))
        assert [float(text) for text in one[column].split()] == pytest.approx(expected.tolist(), rel=5e-3)


@pytest.mark.parametrize("name", ["d-figure-4", "d-figure-7"])
def test_figures_of_the_same_rows_measure_nothing(
    table_3: StudyResult, products: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("flawsight.studies.papers.d.measure"), "measured", None)
    found = study(name, products, table_3.csv.parent)
    assert found.is_whole and found.figure is not None and "<circle" in found.figure.read_text()


def test_levels_alone_and_together(table_3: StudyResult, products: Path, network: Extractor, squares: tuple) -> None:
    found = study("d-table-2", products, table_3.csv.parent)
    assert found.is_whole and len(found.rows) == 6
    for layers, names in (("level1", ["blocks.1.1.add"]), ("level1+level2", ["blocks.1.1.add", "blocks.2.1.add"])):
        one = row(found, layers=layers)
        _, maps = by_hand(network, squares, names)
        assert one["reads"] == "+".join(names)
        assert one["auroc"] == pytest.approx(roc_auc_score(LABELS, maps.max(axis=(1, 2))), abs=1e-5)
    assert "| tf_efficientnet_lite0 | level1+level2 | blocks.1.1.add+blocks.2.1.add |" in found.markdown.read_text()


@pytest.mark.parametrize(
    ("name", "column", "values", "changed"),
    [
        ("d-figure-5", "noise", [0.1, 0.2, 0.4, 0.8, 1.6], {"noise": 0.8}),
        ("d-figure-6", "neighbourhood", [1, 3, 5, 7], {"neighbourhood": 5}),
    ],
)
def test_what_is_varied_is_a_parameter(
    table_3: StudyResult, products: Path, network: Extractor, squares: tuple, name: str, column: str, values: list,
    changed: dict,
) -> None:  # fmt: skip
    found = study(name, products, table_3.csv.parent)
    assert found.is_whole and sorted(found.rows[column]) == values
    _, maps = by_hand(network, squares, PAIR, **changed)
    one = row(found, **changed)
    assert one["auroc"] == pytest.approx(roc_auc_score(LABELS, maps.max(axis=(1, 2))), abs=1e-5)
    head = next(line for line in found.markdown.read_text().splitlines() if line.startswith("| category"))
    assert head == f"| category | {' | '.join(f'{value:g}' for value in values)} |"


def test_absolute_noise_has_the_papers_values(products: Path, tmp_path: Path) -> None:
    parameter = {f"simplenet.{name}": value for name, value in {**SMALL, "noise_relative": False}.items()}
    found = study("d-figure-5", products, tmp_path, parameter=parameter)
    assert sorted(found.rows["noise"]) == [0.00375, 0.0075, 0.015, 0.03, 0.06]


def test_a_parameter_of_the_user_takes_away_none_of_the_studys() -> None:
    def settled(**options: object) -> dict:
        return STUDIES["d-table-1"].settled(StudySettings.of({"name": "d-table-1", **options})).parameter

    assert settled(parameter="simplenet.epochs=3") == {"gaussian.score": "map", "simplenet.epochs": 3}
    small = settled(quick=True)
    assert settled(quick=True, parameter="simplenet.epochs=3") == {**small, "simplenet.epochs": 3}
    assert settled(quick=True, parameter="epochs=3") == {
        **{name: value for name, value in small.items() if name != "simplenet.epochs"},
        "epochs": 3,
    }
    assert settled(parameter="simplenet.epochs=3", detector="simplenet") == {"simplenet.epochs": 3}


def test_methods_beside_each_other_and_their_speed(products: Path, tmp_path: Path) -> None:
    found = study("d-table-1", products, tmp_path)
    assert found.is_whole and list(found.rows["method"]) == ["simplenet", "patchcore", "gaussian"]
    assert found.rows[["auroc", "pixel_auroc", "aupro"]].notna().all(axis=None)
    speed = study("d-figure-2", products, tmp_path)
    assert speed.is_whole and list(speed.rows["auroc"]) == list(found.rows["auroc"])
    assert (speed.rows["milliseconds"] > 0).all() and "of the machine" in speed.markdown.read_text()


def test_without_masks_localisation_is_empty(products: Path, tmp_path: Path) -> None:
    shutil.copytree(products / "bands", tmp_path / "bands")
    shutil.rmtree(tmp_path / "bands" / "ground_truth")
    found = study("d-table-4", tmp_path / "bands", tmp_path / "out")
    assert found.is_whole and found.rows["auroc"].notna().all()
    assert found.rows[["pixel_auroc", "aupro", "p_h"]].isna().all(axis=None)
    text = found.markdown.read_text()
    assert "AU-ROC of simplenet" in text and "AU-PRO of" not in text


def test_one_good_image_is_learned_from(products: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(products / "bands", data / "bands")
    for path in find_images(data / "bands" / "train" / "good")[1:]:
        path.unlink()
    assert study("d-figure-4", data, tmp_path / "out").is_whole


def test_a_network_without_the_levels_is_named(products: Path, tmp_path: Path) -> None:
    options = {"extractor": "vit_tiny_patch16_224", "weights": "random"}
    found = study("d-table-2", products, tmp_path, **options)
    assert "stages from stride 4 on, and no level" in "".join(found.rows["error"])


def test_options_that_a_study_cannot_heed_are_refused(products: Path, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match="leave --layers out"):
        study("d-table-2", products, tmp_path, layers="blocks.2.1.add")
    with pytest.raises(FlawsightError, match="SimpleNet alone"):
        study("d-figure-6", products, tmp_path, detector="patchcore")
    for parameter in ("simplenet.adaptor=mlp", "loss=cross_entropy"):
        for name in ("d-table-3", "d-figure-7"):
            with pytest.raises(FlawsightError, match=f"--parameter {parameter.partition('=')[0]}: this study sets it"):
                study(name, products, tmp_path, parameter=[parameter])
    with pytest.raises(FlawsightError, match="--most-layers has no effect"):
        study("d-table-2", products, tmp_path, most_layers=2)
    with pytest.raises(FlawsightError, match="leave --workers out"):
        study("d-figure-2", products, tmp_path, workers=2)
    with pytest.raises(FlawsightError, match="no classification data set"):
        study("d-table-5", products / "bands" / "train", tmp_path)


def test_one_class_against_the_others(tmp_path: Path, texture: Callable, spoiled: Callable, network: Extractor) -> None:
    data = tmp_path / "data"
    for name, make in (("clean", texture), ("spotted", spoiled)):
        for part, count in (("train", 4), ("test", 3)):
            (data / part / name).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(make(10 * count + number)).save(data / part / name / f"{number}.png")
    with Image.open(data / "test/clean/0.png") as one:
        one.convert("L").save(data / "test/clean/0.png")  # of the other class, and grey
    found = study("d-table-5", data, tmp_path / "out", categories="", detector="simplenet", most_test=6)
    assert found.is_whole and list(found.rows["category"]) == ["clean", "spotted"]
    read = [
        [resize_image(np.array(Image.open(path).convert("RGB")), SIDE) for path in find_images(data / part)]
        for part in ("train/spotted", "test/clean", "test/spotted")
    ]
    _, maps = by_hand(network, (read[0], read[1] + read[2]), PAIR)
    expected = roc_auc_score([1, 1, 1, 0, 0, 0], maps.max(axis=(1, 2)))
    assert row(found, category="spotted")["auroc"] == pytest.approx(expected, abs=1e-5)
    assert "| spotted |" in found.markdown.read_text()


def frame(lines: list[dict]) -> pd.DataFrame:
    texts = dict.fromkeys(("weights", "defects", "variant", "error", "reads", "losses", "spread", "adapted_spread"), "")
    numbers = {name: math.nan for name, kind in COLUMNS.items() if kind is float}
    start = {**numbers, **texts, "extractor": "net", "image_size": 64, "status": "made", "seed": 0}
    return pd.DataFrame([{**start, "category": "a", "method": "simplenet", "layers": "one", **line} for line in lines])


def test_values_rise_also_where_one_is_missing() -> None:
    lines = [
        {"variant": "noise=0.8", "noise": 0.8, "auroc": 0.9},
        {"variant": "", "noise": 0.4, "auroc": 0.7},
        {"variant": "noise=0.1", "status": "missing"},
    ]
    (table,) = STUDIES["d-figure-5"].tables(frame(lines))
    assert table.head[1:] == ("0.1", "0.4", "0.8") and table.body[0][1] == "–" and "90.0" in table.body[0][3]


def test_losses_are_shares_of_the_first_epochs() -> None:
    lines = [{"variant": "", "losses": "2 1 0.5"}, {"variant": "", "losses": "4 3 2", "category": "b"}]
    (table,) = STUDIES["d-figure-7"].tables(frame(lines))
    assert table.head[2:] == ("epoch 1", "epoch 2") and table.body[0][2:] == ("100.0", "62.5")


def test_evenness_is_the_ratio_of_two_quantiles() -> None:
    quantiles = np.linspace(1, 3, 21)
    text = " ".join(f"{value:.4g}" for value in quantiles)
    (table,) = STUDIES["d-figure-4"].tables(frame([{"spread": text, "adapted_spread": " ".join(["2"] * 21)}]))
    assert table.body[0][2:] == (f"{quantiles[19] / quantiles[1]:.1f}", "1.0")
