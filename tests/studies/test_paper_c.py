"""Paper C's rows and tables, against scikit-learn and SciPy by hand."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rows_by_value import rows
from scipy.ndimage import label
from scipy.spatial.distance import cdist
from scipy.stats import chi2
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.svm import OneClassSVM

from flawsight.core import FlawsightError
from flawsight.data import augmented, find_images, folds
from flawsight.detectors import Autoencoder
from flawsight.features import Extractor, levels
from flawsight.studies import STUDIES, StudyResult, SupervisedClassifier, run_study
from flawsight.studies.papers.c.measure import COLUMNS
from flawsight.studies.papers.c.units import FOLDS, Part
from flawsight.views import resize_image

SIDE = 64
LABELS = np.array([0] * 4 + [1] * 4)


def study(name: str, data: Path, out: Path, **options: object) -> StudyResult:
    return run_study(name, data, out, **{"quick": True, "device": "cpu", "categories": "bands", **options})


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c")


@pytest.fixture(scope="module")
def table_1(products: Path, out: Path) -> StudyResult:
    return study("c-table-1", products, out, categories="")


@pytest.fixture(scope="module")
def vectors(bands: Callable, network: Extractor) -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
    """Pooled vectors of the good and of the test pictures at a level."""

    def of(name: str) -> tuple[np.ndarray, np.ndarray]:
        good, test = (network.extract(some, [name])[name].double().mean((2, 3)).numpy() for some in bands(SIDE)[:2])
        return good, test

    return of


def cut(count: int, fold: int) -> np.ndarray:
    return [learned for learned, _ in KFold(FOLDS, shuffle=True, random_state=0).split(np.arange(count))][fold - 1]


def mahalanobis(good: np.ndarray, asked: np.ndarray) -> np.ndarray:
    model = LedoitWolf().fit(good)
    return cdist(asked, good.mean(0)[None], "mahalanobis", VI=np.linalg.inv(model.covariance_))[:, 0]


def standardised(good: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """A channel that never varies, as behind a ReLU, varies by the rounding of the network."""
    spread = np.maximum(good.std(0, ddof=1), 1e-6 * np.sqrt(np.mean(good**2)))
    return np.linalg.norm((asked - good.mean(0)) / spread, axis=1)


BY_HAND = {
    "L2": lambda good, asked: np.linalg.norm(asked - good.mean(0), axis=1),
    "SED": standardised,
    "Mahalanobis": mahalanobis,
}


@pytest.mark.parametrize("method", list(BY_HAND))
def test_a_level_and_the_sum_are_what_one_computes_by_hand(
    table_1: StudyResult, vectors: Callable, method: str, network: Extractor
) -> None:
    known = levels(network.layers)
    names = [known[0], known[4], known[8]]  # --quick takes three of the nine
    aurocs = []
    for fold in range(1, FOLDS + 1):
        lines = rows(table_1, category="bands", method=method, variant=f"fold={fold}").set_index("layers")
        scores = []
        for name in names:
            good, test = vectors(name)
            scores.append(BY_HAND[method](good[cut(10, fold)], test))
            assert lines.loc[name, "auroc"] == pytest.approx(roc_auc_score(LABELS, scores[-1]))
            assert lines.loc[name, "level"] == known.index(name) + 1
            aurocs.append(lines.loc[name, "auroc"])
        assert lines.loc["+".join(names), "auroc"] == pytest.approx(roc_auc_score(LABELS, sum(scores)))
    assert len(set(aurocs)) > 3  # else this test would say little


def test_changed_copies_are_learned_from(
    table_1: StudyResult, vectors: Callable, bands: Callable, network: Extractor
) -> None:
    name = levels(network.layers)[0]
    changes = ("blur", "contrast", "colour", "noise")
    copies = augmented(bands(SIDE).good, 2, changes, 0)
    many = network.extract([copies[number] for number in range(20)], [name])[name].double().mean((2, 3)).numpy()
    learned = cut(10, 3)
    scores = mahalanobis(many[[*learned, *(learned + 10)]], vectors(name)[1])
    variant = f"fold=3 copies=2 changes={'+'.join(changes)}"
    one = rows(table_1, category="bands", method="Mahalanobis", variant=variant, layers=name).iloc[0]
    assert one["auroc"] == pytest.approx(roc_auc_score(LABELS, scores))


def test_components_are_those_of_principal_component_analysis(
    table_1: StudyResult, products: Path, vectors: Callable, network: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = study("c-table-3", products, table_1.csv.parent, categories="")
    name = levels(network.layers)[4]
    good = vectors(name)[0][cut(10, 1)]
    shares = PCA().fit(good).explained_variance_ratio_[: len(good) - 1].cumsum()
    crossing = int(np.argmax(shares > 0.95))
    own = rows(found, category="bands", variant="fold=1", layers=name).set_index("method")
    assert own.loc["PCA 95 %", "dimensions"] == crossing + 1
    crossing = int(np.argmax(shares > 0.99))
    assert own.loc["NPCA 1 %", "dimensions"] == len(good) - 1 - max(crossing - 1, 0)
    assert own.loc["Mahalanobis", "dimensions"] == good.shape[1]
    assert "Dimensions" in found.markdown.read_text()
    monkeypatch.setattr("flawsight.studies.papers.c.measure.pooled", None)  # nothing is measured again
    again = study("c-table-2", products, table_1.csv.parent, categories="")
    assert again.is_whole and set(again.rows["auroc"]) <= set(found.rows["auroc"])


def test_working_points_are_those_of_scipy_and_of_ranks(
    products: Path, tmp_path: Path, vectors: Callable, network: Extractor
) -> None:
    found = study("c-table-4", products, tmp_path, augment=0)
    name = levels(network.layers)[6]
    good, test = vectors(name)
    images = cut(10, 2)
    scores = mahalanobis(good[images], test)
    held_out = np.empty(len(images))
    for part in folds(len(images), FOLDS, 0):
        held_out[part] = mahalanobis(good[np.delete(images, part)], good[images[part]])
    for sigma in range(1, 6):
        one = rows(found, method="Mahalanobis", variant=f"fold=2 sigma={sigma}").iloc[0]
        rate = math.erfc(sigma / math.sqrt(2))
        threshold = math.sqrt(chi2.isf(rate, good.shape[1]))
        assert one["reads"] == name and one["requested"] == pytest.approx(rate, rel=1e-4)
        assert one["chi_fpr"] == np.mean(scores[:4] > threshold) and one["chi_tpr"] == np.mean(scores[4:] > threshold)
        allowed = max(1, int(rate * (len(images) + 1)))
        limit = np.sort(held_out)[-allowed]
        assert one["stated"] == pytest.approx(allowed / (len(images) + 1), rel=1e-4)
        assert one["conformal_fpr"] == np.mean(scores[:4] > limit)
        assert one["conformal_tpr"] == np.mean(scores[4:] > limit)
    assert "| 2 | 4.6 |" in found.markdown.read_text()


@pytest.fixture(scope="module")
def table_5(products: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return study("c-table-5", products, tmp_path_factory.mktemp("c5"), augment=0, most_test=8)


def test_the_one_class_machine_is_scikit_learns(table_5: StudyResult, vectors: Callable, network: Extractor) -> None:
    known = levels(network.layers)
    for fold in range(1, FOLDS + 1):
        total = np.zeros(8)
        for name in (known[0], known[4], known[8]):
            good, test = vectors(name)
            total -= OneClassSVM(nu=0.5, gamma="scale").fit(good[cut(10, fold)]).decision_function(test)
        one = rows(table_5, method="ocsvm", variant=f"fold={fold}").iloc[0]
        assert one["auroc"] == pytest.approx(roc_auc_score(LABELS, total))


def test_the_autoencoder_has_two_scores(
    table_5: StudyResult, products: Path, bands: Callable, network: Extractor
) -> None:
    drawn = np.array(Image.open(products / "bands" / "ground_truth" / "spot" / "000_mask.png")) > 0
    regions, count = label(drawn, np.ones((3, 3)))
    area = min(np.bincount(regions.ravel())[1:]) / drawn.size
    assert count == 1
    learned = [bands(SIDE).good[number] for number in cut(10, 4)]
    one = rows(table_5, method="autoencoder", variant="fold=4").iloc[0]
    for column, score in (("auroc", "mean"), ("auroc_component", "component")):
        detector = Autoencoder(side=32, width=4, epochs=1, score=score, least_area=area)
        detector.fit([network.pixels(learned)])
        scores = detector.image_scores([network.pixels(bands(SIDE).test)]).numpy()
        assert one[column] == pytest.approx(roc_auc_score(LABELS, scores))


def test_the_classifier_sees_labelled_defects_and_says_how_many(
    products: Path, tmp_path: Path, texture: Callable, spoiled: Callable, network: Extractor
) -> None:
    data = tmp_path / "data"
    for part, count, make in (("train/good", 6, texture), ("test/good", 2, texture), ("test/spot", 7, spoiled)):
        (data / part).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(make(10 * count + number)).save(data / part / f"{number}.png")
    found = study("c-table-5", data, tmp_path / "out", categories="", detector="supervised", augment=0)
    squares = [
        resize_image(np.array(Image.open(path)), SIDE)
        for part in ("train/good", "test/good", "test/spot")
        for path in find_images(data / part)
    ]
    labels = np.array([0] * 8 + [1] * 7)
    own = network.network
    for fold, (learned, asked) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(labels, labels)):
        one = rows(found, method="supervised", variant=f"fold={fold + 1}").iloc[0]
        assert one["labelled"] == labels[learned].sum()
        if fold == 0:
            # A batch as large as the paper's for EfficientNets, which is the classifier's own default.
            classifier = SupervisedClassifier(own.module, own.mean, own.std, epochs=1)
            classifier.fit(network.pixels([squares[i] for i in learned]), labels[learned])
            scores = classifier.image_scores(network.pixels([squares[i] for i in asked])).numpy()
            assert one["auroc"] == pytest.approx(roc_auc_score(labels[asked], scores))
    assert "labelled defects among them: data 5 to 6" in found.markdown.read_text()


def test_four_defects_are_too_few_for_the_classifier_alone(table_5: StudyResult) -> None:
    status = table_5.rows.groupby("method")["status"].unique().map(list).to_dict()
    assert status == {"Mahalanobis": ["made"], "NPCA 1 %": ["made"], "ocsvm": ["made"], "autoencoder": ["made"],
                      "supervised": ["failed"]}  # fmt: skip
    assert "14 good and 4 defective images are too few" in table_5.markdown.read_text()


def test_without_masks_the_second_score_is_empty(products: Path, tmp_path: Path) -> None:
    shutil.copytree(products / "bands", tmp_path / "bands")
    shutil.rmtree(tmp_path / "bands" / "ground_truth")
    found = study("c-table-5", tmp_path / "bands", tmp_path / "out", augment=0, detector="autoencoder")
    own = rows(found, method="autoencoder")
    assert (own["status"] == "made").all() and own["auroc_component"].isna().all() and own["auroc"].notna().all()
    assert "connected components" not in found.markdown.read_text()


@pytest.mark.parametrize("count", [1, 4])
def test_fewer_images_than_folds_are_named(products: Path, tmp_path: Path, count: int) -> None:
    data = tmp_path / "data"
    shutil.copytree(products, data)
    for path in find_images(data / "bands" / "train" / "good")[count:]:
        path.unlink()
    found = study("c-table-1", data, tmp_path / "out", categories="bands,stripes", most_layers=1, augment=0)
    assert set(rows(found, category="bands")["status"]) == {"failed"}
    assert set(rows(found, category="stripes")["status"]) == {"made"}
    text = found.markdown.read_text()
    assert f"bands: {count} good images cannot be cut into 5 folds" in text and "†" in text


def test_a_network_without_seven_levels_needs_a_layer_named(products: Path, tmp_path: Path) -> None:
    options = {"extractor": "torchvision:resnet18", "weights": "random", "augment": 0}
    found = study("c-table-4", products, tmp_path / "none", **options)
    assert (
        "has 5 levels and no level 7: name the layer with --layers, such as layer3.1.relu_1"
        in set(found.rows["error"]).pop()
    )
    found = study("c-table-4", products, tmp_path / "named", layers="layer3.1.relu_1", **options)
    assert found.is_whole and set(found.rows["reads"]) == {"layer3.1.relu_1"}


def test_what_is_unknown_is_said_before_anything_is_measured(products: Path, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match="unknown augmentation 'mirror'"):
        study("c-table-1", products, tmp_path, label_preserving="mirror")
    found = study("c-table-5", products, tmp_path, augment=0, detector="patchcore", most_layers=1)
    assert "no baseline of paper C" in "".join(found.rows["error"])
    found = study(
        "c-table-5", products, tmp_path / "2", augment=0, detector="supervised", parameter={"supervised.epoch": 2}
    )
    assert "did you mean epochs" in "".join(found.rows["error"])


def test_a_part_is_read_from_its_text() -> None:
    for part in (Part(1), Part(2, 10, ("blur", "noise")), Part(5, 3, ("flip",), 4)):
        assert Part.of(part.text) == part


def frame(lines: list[dict]) -> pd.DataFrame:
    texts = dict.fromkeys(("extractor", "weights", "defects", "error"), "")
    start = {**texts, **dict.fromkeys(COLUMNS, math.nan), "image_size": 64, "status": "made", "seed": 0}
    return pd.DataFrame([{**start, "variant": "fold=1", **line} for line in lines])


def test_a_cell_is_the_mean_over_categories_of_the_mean_over_folds() -> None:
    values = {"a": (0.5, 0.7), "b": (0.9, 0.9)}
    lines = [
        {"category": name, "layers": "one", "level": 3.0, "method": "L2", "variant": f"fold={fold}", "auroc": value}
        for name, pair in values.items()
        for fold, value in enumerate(pair, start=1)
    ]
    (table,) = STUDIES["c-table-1"].tables(frame(lines))
    means = np.array([0.6, 0.9])
    assert table.body == (("3 (one)", f"{100 * means.mean():.1f} ± {100 * means.std(ddof=1) / math.sqrt(2):.1f}"),)
    (table,) = STUDIES["c-table-1"].tables(frame([*lines[:3], {**lines[3], "status": "missing", "auroc": math.nan}]))
    assert table.body[0][1].endswith("†") and "† not of all" in table.note
