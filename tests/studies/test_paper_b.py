"""Paper B's rows against what is computed by hand, and all of its studies in their quick form."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rows_by_value import row
from sklearn.metrics import roc_auc_score

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.data import find_images, open_dataset
from flawsight.defects import AUTO_KINDS
from flawsight.detectors import FastFlow, PatchCore
from flawsight.features import Extractor, ReceptiveField, effective_receptive_fields, select_layers
from flawsight.metrics import Metrics, aupro
from flawsight.scoring import upsample
from flawsight.selection import criterion, make_validation_set
from flawsight.studies import STUDIES, StudyResult, run_study
from flawsight.studies.papers.b.units import SYNTHETIC

SIDE = 64
LAYER = "blocks.2.0.bn3"
LAYERS = f"conv_stem,{LAYER},blocks.3.0.bn3"
LITE0, RESNET = "tf_efficientnet_lite0", "torchvision:resnet18"
STRANGER = "nonsuch"


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    """Receptive fields are kept in the user's folder otherwise."""
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path_factory.mktemp("hub")))
    yield
    torch.hub.set_dir(before)


def study(name: str, data: Path, out: Path, **options: object) -> StudyResult:
    given = {"quick": True, "detector": "patchcore", "layers": LAYERS, "device": "cpu"}
    return run_study(name, data, out, **{**given, **options})


@pytest.fixture(scope="module")
def two_networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Lite0 with its own weights from a file, and an untrained ResNet."""
    file = tmp_path_factory.mktemp("weights") / "lite0.pth"
    torch.save(Extractor(LITE0, image_size=SIDE, device="cpu").network.module.state_dict(), file)
    return {"extractor": (LITE0, RESNET), "weights": (str(file), "random")}


@pytest.fixture(scope="module")
def whole(products: Path, two_networks: dict, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """Figure 6 of two networks at two sizes: rows of every sort."""
    layers = f"{LAYER},{STRANGER}"
    with pytest.raises(FlawsightError, match=STRANGER):  # networks that call their layers otherwise
        study("b-figure-6", products, tmp_path_factory.mktemp("other"), layers=layers, **two_networks)
    out = tmp_path_factory.mktemp("b")
    return study("b-figure-6", products, out, layers="all", most_layers=2, seeds="1", **two_networks)


def by_hand(bands: Callable, maps: np.ndarray, scores: np.ndarray, side: int) -> tuple[float, float]:
    """AU-ROC and AU-PRO of the test images of bands."""
    return roc_auc_score([0] * 4 + [1] * 4, scores), aupro(list(maps), bands(side).masks)


def smoothed(detector, maps: list, side: int) -> np.ndarray:
    return np.stack([upsample(one, side) for one in detector.anomaly_maps(maps).numpy()])


def test_a_layer_learns_from_all_good_images(
    products: Path, bands: Callable, network: Extractor, tmp_path: Path
) -> None:
    found = study("b-figure-3", products, tmp_path, seeds="1")
    one = row(found, category="bands", layers=LAYER)
    good, test, _ = bands(SIDE)
    features = [network.extract(some, [LAYER])[LAYER] for some in (good, test)]
    maps = smoothed(PatchCore(bank_size=50, seed=1).fit(features[:1]), features[1:], SIDE)
    auroc, pro = by_hand(bands, maps, maps.max(axis=(1, 2)), SIDE)
    assert one["auroc"] == pytest.approx(auroc, abs=1e-5) and one["aupro"] == pytest.approx(pro, abs=1e-4)
    field = effective_receptive_fields(network, layers=[LAYER])[LAYER].relative
    assert one["rrf"] == pytest.approx(field, abs=1e-5) and one["order"] == network.layer(LAYER).order
    # A spot of 8 x 10 in pictures of 80 x 96: the same in all of them.
    assert one["defect_size"] == pytest.approx(math.sqrt(80 / (80 * 96)), abs=1e-5)
    assert found.figure and "<polyline" in found.figure.read_text()


def test_the_criterion_is_that_of_the_search(bands: Callable, network: Extractor, whole) -> None:
    layer = whole.rows[whole.rows["defects"] == SYNTHETIC].iloc[0]["layers"]
    one = row(whole, category="bands", extractor=LITE0, layers=layer, defects=SYNTHETIC, image_size=SIDE)
    assert math.isnan(one["auroc"]) and math.isnan(one["p_h"])
    validation = make_validation_set(bands(SIDE).good, AUTO_KINDS, seed=1, may_drop=True)

    def features(images) -> list:
        return [network.extract(list(images), [layer])[layer]]

    detector = PatchCore(bank_size=50, seed=1).fit(features(validation.train))
    good = smoothed(detector, features([*validation.good, *validation.originals]), SIDE)
    figures = {}
    for kind, (images, masks) in validation.bad.items():
        bad = smoothed(detector, features(images), SIDE)
        scores = np.concatenate([good, bad]).max(axis=(1, 2))
        clean = [np.zeros((SIDE, SIDE), bool)] * len(good)
        pro = aupro([*good, *bad], [*clean, *masks])
        figures[kind] = Metrics(roc_auc_score(np.arange(len(scores)) >= len(good), scores), pro)
    assert one["criterion"] == pytest.approx(criterion(figures), abs=0.02)


def test_the_ensemble_is_the_mean_of_scaled_maps(bands: Callable, network: Extractor, whole) -> None:
    found = row(whole, category="bands", extractor=f"{LITE0}+{RESNET}")
    every_map, every_score = [], []
    for one in (network, Extractor(RESNET, "random", SIDE, "cpu")):
        pair = one.default_pair
        good, test, _ = bands(SIDE)
        features = [[one.extract(some, pair)[name] for name in pair] for some in (good, test)]
        maps = smoothed(PatchCore(bank_size=50, seed=1, embed_dim=1024).fit(features[0]), features[1], SIDE)
        scores = maps.max(axis=(1, 2))
        every_map.append((maps - maps.min()) / (maps.max() - maps.min()))
        every_score.append((scores - scores.min()) / (scores.max() - scores.min()))
    auroc, pro = by_hand(bands, np.mean(every_map, axis=0), np.mean(every_score, axis=0), SIDE)
    assert found["auroc"] == pytest.approx(auroc, abs=1e-5) and found["aupro"] == pytest.approx(pro, abs=1e-4)
    assert found["reads"] == "blocks.2.1.add+blocks.4.2.add layer2.1.relu_1+layer3.1.relu_1"


def test_what_is_compared_is_of_the_first_network_and_size(whole: StudyResult) -> None:
    assert whole.is_whole, whole.rows[["layers", "error"]]
    several = whole.rows[whole.rows["layers"].isin(["pair", "auto"])]
    assert set(several["image_size"]) == {SIDE} and set(several["category"]) == {"bands", "stripes"}
    assert several[several["category"] == "bands"][["extractor", "layers", "variant"]].values.tolist() == [
        [LITE0, "pair", ""],
        [LITE0, "pair", "official"],
        [f"{LITE0}+{RESNET}", "pair", "official"],
        [LITE0, "auto", ""],
        [LITE0, "auto", "sizes 64/96"],
    ]
    single = whole.rows[~whole.rows["layers"].isin(["pair", "auto"]) & (whole.rows["defects"] == "")]
    layers = single.groupby(["extractor", "image_size"])["layers"].agg(lambda names: tuple(dict.fromkeys(names)))
    assert all(len(set(layers[name])) == 1 for name in (LITE0, RESNET))  # the same layers at both sizes


def test_the_search_may_choose_the_size(whole: StudyResult, products: Path, two_networks: dict) -> None:
    single = whole.rows[(whole.rows["extractor"] == LITE0) & (whole.rows["defects"] == SYNTHETIC)]
    names = ",".join(dict.fromkeys(single["layers"]))
    options = {"layers": names, "detector": PatchCore(bank_size=50, seed=1), "seed": 1, "device": "cpu", "pod": False}
    for variant, sides in (("", SIDE), ("sizes 64/96", (64, 96))):
        inspector = fs.fit(products / "bands", image_size=sides, view="squash", **options)
        figures = fs.evaluate(inspector, open_dataset(products / "bands"), SIDE)
        auto = row(whole, category="bands", layers="auto", variant=variant)
        assert auto["auroc"] == pytest.approx(figures["auroc"], abs=1e-5)
        assert auto["aupro"] == pytest.approx(figures["aupro_0.30"], abs=1e-4)


def test_fastflow_reads_three_stages(products: Path, bands: Callable, network: Extractor, tmp_path: Path) -> None:
    parameters = {"fastflow.training_steps": 2, "fastflow.flow_steps": 1}
    options = {"detector": "fastflow", "image_size": SIDE, "most_layers": 1, "categories": "bands"}
    found = study("b-table-1", products, tmp_path, parameter=parameters, **options)
    one = row(found, layers="stages")
    names = ("blocks.1.1.add", "blocks.2.1.add", "blocks.4.2.add")
    assert one["reads"] == "+".join(names)
    good, test, _ = bands(SIDE)
    features = [[network.extract(some, names)[name] for name in names] for some in (good, test)]
    maps = smoothed(FastFlow(training_steps=2, flow_steps=1).fit(features[0]), features[1], SIDE)
    auroc, pro = by_hand(bands, maps, maps.max(axis=(1, 2)), SIDE)
    assert one["auroc"] == pytest.approx(auroc, abs=0.07) and one["aupro"] == pytest.approx(pro, abs=0.02)


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("b-")])
def test_each_is_made_within_seconds(products: Path, tmp_path: Path, name: str) -> None:
    found = run_study(name, products, tmp_path, quick=True, device="cpu", categories="bands")
    assert found.is_whole, found.rows[["layers", "error"]]
    text = found.markdown.read_text()
    assert (found.figure is not None) == (name != "b-table-1") and "\n| " in text and "nan" not in text
    if found.figure:
        assert "nan" not in found.figure.read_text()


@pytest.mark.parametrize("name", ["b-figure-3", "b-figure-4", "b-figure-5", "b-hypothesis"])
def test_the_others_are_made_of_the_same_rows(
    whole: StudyResult, products: Path, two_networks: dict, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flawsight.studies.papers.b.measure.fitted_and_asked", None)  # nothing is measured again
    options = {"layers": "all", "most_layers": 2, "seeds": "1", "image_size": "64,96"}
    found = study(name, products, whole.csv.parent, **two_networks, **options)
    assert found.is_whole


def test_random_weights_stand_beside_those_of_files(products: Path, two_networks: dict, tmp_path: Path) -> None:
    given = {"extractor": LITE0, "weights": two_networks["weights"][:1], "categories": "bands", "layers": LAYER}
    rows = study("b-figure-7", products, tmp_path, **given).rows.set_index("weights")
    assert list(rows.index) == ["lite0.pth", "random"] and (rows["status"] == "made").all()
    assert rows["rrf"].nunique() == 2  # measured anew, as the paper does
    untrained = effective_receptive_fields(Extractor(LITE0, "random", SIDE, "cpu"), layers=[LAYER])[LAYER]
    assert rows.loc["random"]["rrf"] == pytest.approx(untrained.relative, abs=1e-5)


def test_layers_may_be_spread_over_receptive_fields(
    products: Path, network: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {layer.name: ReceptiveField(layer.order, layer.order / 1000) for layer in network.layers}
    monkeypatch.setattr("flawsight.features.extractor.effective_receptive_fields", lambda *_, **__: fields)
    found = study("b-figure-3", products, tmp_path, layers="evenly:3", categories="bands")
    assert set(found.rows["layers"]) == {layer.name for layer in select_layers(network.layers, "evenly:3", fields)}


def test_receptive_fields_need_no_test_images(products: Path, network: Extractor, tmp_path: Path) -> None:
    data = tmp_path / "bands"
    shutil.copytree(products / "bands" / "train" / "good", data)
    with pytest.raises(FlawsightError, match="--detector"):
        study("b-receptive-fields", data, tmp_path / "out", most_good=8)
    options = {"quick": True, "layers": LAYERS, "device": "cpu", "most_good": 8}
    found = run_study("b-receptive-fields", data, tmp_path / "out", **options)
    assert found.is_whole and list(dict.fromkeys(found.rows["category"])) == ["", "bands"]
    pictures = [np.array(Image.open(path)) for path in find_images(data)]
    drawn = np.sort(np.random.default_rng(0).permutation(len(pictures))[:8])
    images = {"": None, "bands": [pictures[at] for at in drawn]}
    for category, some in images.items():
        field = effective_receptive_fields(network, some, [LAYER], count=8)[LAYER]
        one = row(found, category=category, layers=LAYER)
        assert (one["pixels"], one["rrf"]) == pytest.approx((field.pixels, field.relative), rel=1e-4)


def test_without_masks_there_is_no_localisation(products: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(products, data)
    shutil.rmtree(data / "bands" / "ground_truth")
    found = study("b-figure-6", data, tmp_path / "out", most_layers=2, image_size=SIDE)
    assert found.is_whole
    bands = found.rows[(found.rows["category"] == "bands") & (found.rows["defects"] == "")]
    assert bands[["aupro", "p_h", "defect_size"]].isna().all(axis=None) and bands["auroc"].notna().all()
    assert "†" in found.markdown.read_text() and "nan" not in found.figure.read_text()


def test_a_category_with_one_image_ends_no_other(products: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(products, data)
    for path in find_images(data / "bands" / "train" / "good")[1:]:
        path.unlink()
    found = study("b-hypothesis", data, tmp_path / "out", most_layers=2, image_size=SIDE)
    status = found.rows.groupby(["category", "defects"])["status"].agg(set).to_dict()
    assert status == {
        ("bands", ""): {"made"},
        ("bands", SYNTHETIC): {"failed"},
        ("stripes", ""): {"made"},
        ("stripes", SYNTHETIC): {"made"},
    }
    assert "at least 8 good images" in found.markdown.read_text()


def test_a_network_without_pair_or_stages_fails_there_alone(products: Path, tmp_path: Path) -> None:
    network = {"extractor": "timm:deit_tiny_patch16_224", "weights": "random", "layers": "blocks.1.mlp.fc2"}
    options = {"categories": "bands", "detector": "patchcore,fastflow", "image_size": SIDE}
    found = study("b-table-1", products, tmp_path, **network, **options)
    status = found.rows.set_index(["method", "layers", "variant", "defects"])["status"]
    assert status["patchcore", "blocks.1.mlp.fc2", "", ""] == "made" and status["patchcore", "pair", "", ""] == "failed"
    assert status["fastflow", "blocks.1.mlp.fc2", "", ""] == "made" and status["fastflow", "stages", "", ""] == "failed"
    text = found.markdown.read_text()
    assert "FastFlow reads three" in text and "no blocks that end at strides 8 and 16" in text


def test_what_reads_no_layers_is_refused(products: Path, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match="'autoencoder' does not read single layers"):
        study("b-figure-3", products, tmp_path / "out", detector="autoencoder")
    assert not (tmp_path / "out").exists()
