"""Paper E's rows and tables, against a RealNet that is fitted by hand."""

import math
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import flawsight as fs
from flawsight.core import INPUT, FlawsightError
from flawsight.data import open_dataset
from flawsight.defects import apply_defects, described_product, make
from flawsight.detectors import AnomalySynthesis, PatchCore, RealNet
from flawsight.features import Extractor, stage_ends
from flawsight.generation import Generator
from flawsight.metrics import aupro
from flawsight.scoring import upsample
from flawsight.settings import StudySettings
from flawsight.studies import STUDIES, StudyResult, run_study
from flawsight.studies.layers import studied_layers
from flawsight.studies.papers.e import kinds, measure
from flawsight.studies.papers.e.units import SOURCES, VARIANTS
from flawsight.studies.products import product_of
from flawsight.studies.study import Unit

SIDE, SEED, QUALITY = 64, 1, 9.5
READ = "blocks.1.*,blocks.2.*"
"""Two stages, for a training of all takes seconds."""
SMALL = {"training_steps": 2, "pairs": 8, "afs_pairs": 4}


@pytest.fixture(scope="module", autouse=True)
def quality() -> Any:
    """Measuring it takes longer than all that is trained here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flawsight.generation.generator.relative_frechet_distance", lambda *_: QUALITY)
        yield


def study(name: str, data: Path, out: Path, **options: Any) -> StudyResult:
    given = {"quick": True, "device": "cpu", "categories": "bands", "seeds": str(SEED), "layers": READ}
    return run_study(name, data, out, **{**given, **options})


@pytest.fixture(scope="module")
def table_3(products: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    textures = products / "stripes" / "train" / "good"
    return study("e-table-3", products, tmp_path_factory.mktemp("e"), textures=textures)


def test_a_row_is_what_one_computes_by_hand(table_3: StudyResult, bands: Callable, network: Extractor) -> None:
    layers = list(stage_ends(network.select(READ)))
    good, test, masks = bands(SIDE)

    def read(pictures: Any, names: list[str] = layers) -> list:
        return list(network.extract(pictures, names).values())

    defect = make("nsa", product=described_product(good, SEED))
    detector = RealNet(**SMALL, seed=SEED).attach(AnomalySynthesis(read, [defect]))
    detector.fit(read(good, [INPUT, *layers]))
    asked = read(test, [INPUT, *layers])
    maps = np.stack([upsample(one, SIDE) for one in detector.anomaly_maps(asked).numpy()])

    row = table_3.rows.set_index("defects").loc["nsa"]
    assert row["layers"] == "+".join(layers) and math.isnan(row["generator"])
    assert row["auroc"] == pytest.approx(roc_auc_score([0] * 4 + [1] * 4, detector.image_scores(asked)), abs=1e-5)
    assert row["pixel_auroc"] == pytest.approx(roc_auc_score(np.stack(masks).ravel(), maps.ravel()), abs=1e-4)
    assert row["aupro"] == pytest.approx(aupro(list(maps), masks), abs=1e-4)


def test_every_source_is_there_and_what_its_generator_is_worth(table_3: StudyResult) -> None:
    rows = table_3.rows
    assert table_3.is_whole and list(rows["defects"]) == list(SOURCES)
    assert rows["pixel_auroc"].nunique() == len(SOURCES)
    assert rows.set_index("defects").loc["sdas"]["generator"] == QUALITY
    text = table_3.markdown.read_text()
    assert all(said in text for said in SOURCES.values()) and f"useless: bands ({QUALITY})" in text


def test_table_1_is_made_of_its_rows(table_3: StudyResult, products: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "fit_detectors", None)  # nothing is measured again
    found = study("e-table-1", products, table_3.csv.parent)
    assert found.is_whole and len(found.rows) == 1
    row = found.rows.iloc[0]
    cells = [f"{100 * row[figure]:.1f}" for figure in measure.FIGURES]
    assert "| bands | " + " | ".join(cells) + " |" in found.markdown.read_text()


def test_rows_of_another_generator_are_not_its_rows(
    table_3: StudyResult, products: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in table_3.csv.parent.glob("e-table-3.*"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(measure, "fit_detectors", None)
    assert study("e-table-1", products, tmp_path, generator_steps=3).rows["status"].tolist() == ["failed"]


@pytest.mark.parametrize(("name", "count"), [("e-table-5", 10), ("e-figure-5", 7)])
def test_each_row_is_of_the_variant_that_it_says(
    table_3: StudyResult, products: Path, name: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = table_3.csv.parent / "generators" / "bands" / f"seed-{SEED}" / "generator.safetensors"
    before, fit, asked = weights.stat().st_mtime_ns, measure.fit_detectors, []

    def recorded(extractor: Extractor, images: Any, members: Any) -> None:
        asked.append(members[0].detector.get_params())
        fit(extractor, images, members)

    monkeypatch.setattr(measure, "fit_detectors", recorded)
    found = study(name, products, table_3.csv.parent)
    assert found.is_whole and len(found.rows) == count
    assert weights.stat().st_mtime_ns == before  # the generator was there
    new = [variant for variant in found.rows["variant"] if variant]  # the paper's own is Table 3's
    new = [variant for variant in new if name == "e-table-5" or variant != "without RRS"]
    paper = {"reduction": "afs", "residuals": "max&avg", "retention": 1 / 3, "normalise_ranking": False}
    expected = [{**paper, **VARIANTS.get(variant, {})} for variant in new]
    assert [{name: one[name] for name in paper} for one in asked][-len(new) :] == expected
    assert (found.figure is not None) == ("figure" in name)
    if found.figure:
        assert found.figure.read_text().count("<circle") == 3 * count + 4  # panels, and the legend


def test_a_generator_is_trained_once_however_many_want_it(
    products: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"name": "e-table-5", "data": products, "out": tmp_path, "quick": True, "device": "cpu"}
    settings = STUDIES["e-table-5"].settled(StudySettings.of(given))
    trained, fit = [], Generator.fit
    monkeypatch.setattr(Generator, "fit", lambda *args, **more: trained.append(1) or fit(*args, **more))
    units = [Unit("bands", defects="sdas", variant=variant) for variant in ("", "s = 0")]
    product = product_of(settings, units[0])

    def pictures(unit: Unit) -> list[np.ndarray]:
        recipe, _ = measure._recipe(unit, settings, product, measure._defect_settings(unit, settings))
        return list(recipe.parameters["sdas"]["pictures"])

    with ThreadPoolExecutor(2) as pool:
        usual, without = pool.map(pictures, units)
    assert len(trained) == 1
    assert any((one != other).any() for one, other in zip(usual, without, strict=True))


def test_without_masks_the_columns_of_pixels_are_empty(products: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(products / "bands", data / "bands")
    shutil.rmtree(data / "bands" / "ground_truth")
    found = study("e-table-1", data, tmp_path / "out")
    row = found.rows.iloc[0]
    assert found.is_whole and 0 <= row["auroc"] <= 1
    assert row[["pixel_auroc", "aupro", "p_h"]].isna().all()
    assert f"| bands | {100 * row['auroc']:.1f} | – | – | – |" in found.markdown.read_text()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("e-table-3", {}, "--textures"),
        ("e-table-3", {"textures": "nowhere"}, "nowhere"),
        ("e-table-1", {"detector": "patchcore"}, "leave --detector out"),
        ("e-table-5", {"parameter": {"realnet.residuals": "max"}}, "realnet.residuals"),
        ("e-table-5", {"parameter": {"realnet.stepps": 2}}, "stepps"),
        ("e-table-1", {"textures": "."}, "--textures has no effect"),
        ("e-figure-5", {"augment": 2}, "--augment has no effect"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    products: Path, tmp_path: Path, name: str, options: dict, said: str
) -> None:
    with pytest.raises(FlawsightError, match=said):
        study(name, products, tmp_path, **options)
    assert not list(tmp_path.glob("*.csv"))


def test_a_network_without_stages_is_a_reason(products: Path, tmp_path: Path) -> None:
    row = study("e-table-1", products, tmp_path, layers="conv_stem").rows.iloc[0]
    assert row["status"] == "failed" and "has none among --layers conv_stem" in row["error"]


def frame(lines: list[dict]) -> pd.DataFrame:
    """Rows with one figure for all, that was thought of."""
    start = {
        "extractor": "net", "weights": "", "image_size": 64, "defects": "sdas", "variant": "", "seed": 0,
        "status": "made", "generator": 1.0,
    }  # fmt: skip
    return pd.DataFrame([{**start, **dict.fromkeys(measure.FIGURES, line["value"]), **line} for line in lines]).drop(
        columns="value"
    )


def test_table_5_is_the_mean_over_categories_with_the_deviation_over_seeds() -> None:
    values = {("a", 0): 0.8, ("b", 0): 0.6, ("a", 1): 0.9, ("b", 1): 0.7}
    lines = [{"category": category, "seed": seed, "value": value} for (category, seed), value in values.items()]
    lines += [{**line, "variant": "without RRS", "value": line["value"] - 0.5} for line in lines]
    lines[-1] |= {"value": math.nan, "status": "missing"}
    ablations, strengths = STUDIES["e-table-5"].tables(frame(lines))
    cells = {row[0]: row[1:] for row in ablations.body}
    assert set(cells["RealNet: AFS and RRS"]) == {f"75.0 ± {100 * np.std([0.7, 0.8], ddof=1):.1f}"}
    assert set(cells["without RRS"]) == {f"30.0 ± {100 * np.std([0.2, 0.4], ddof=1):.1f} †"} and "†" in ablations.note
    assert set(cells["random channels"]) == {"–"}
    assert strengths.body[-1][1:] == cells["RealNet: AFS and RRS"] and not strengths.note


def test_figure_5_has_the_papers_own_among_its_modes_and_ratios() -> None:
    variants = {"": 0.9, "RRS by max, 1/3": 0.8, "RRS by max&avg, 2/3": 0.7, "without RRS": 0.6}
    lines = frame([{"category": "a", "variant": variant, "value": value} for variant, value in variants.items()])
    (table,) = STUDIES["e-figure-5"].tables(lines)
    assert [(row[0], row[1]) for row in table.body] == [
        ("Max, P = 1/3", "80.0"), ("Max&Avg, P = 1/3", "90.0"), ("Max&Avg, P = 2/3", "70.0"), ("all residuals", "60.0"),
    ]  # fmt: skip
    drawn = STUDIES["e-figure-5"].figure(lines)
    assert drawn.count("Max&amp;Avg, Max&amp;Avg, P = 1/3: 90.0") == 3


def test_table_1_marks_no_best_among_different_figures() -> None:
    lines = [{"category": name, "value": value} for name, value in (("a", 0.8), ("b", 0.6))]
    (table,) = STUDIES["e-table-1"].tables(frame(lines))
    assert table.head[1:] == ("image AU-ROC", "pixel AU-ROC", "AU-PRO", "P_h")
    assert [set(row[1:]) for row in table.body] == [{"80.0"}, {"60.0"}, {"70.0"}]


def test_channels_of_the_pair_are_those_that_the_variant_says(
    products: Path, bands: Callable, tmp_path: Path, network: Extractor
) -> None:
    found = study("e-channels", products, tmp_path)
    assert found.is_whole and "AFS 1/4" in found.markdown.read_text()
    good, asked, truth = bands(SIDE)
    normal = list(network.extract(good, network.default_pair).values())
    test = list(network.extract(asked, network.default_pair).values())

    bad, drawn_masks = apply_defects(
        good, make("perlin", product=described_product(good, SEED)), kind="perlin", seed=SEED
    )
    defects = np.stack(drawn_masks)
    best = []
    for maps, anomalous in zip(normal, network.extract(bad, network.default_pair).values(), strict=True):
        losses = []
        for channel in range(maps.shape[1]):
            difference = np.square((anomalous - maps)[:, channel].numpy())
            large = np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for one in difference])
            low, high = (end(large, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
            losses.append(np.mean(np.square((large - low) / np.maximum(high - low, 1e-12) - defects)))
        best.append(np.sort(np.argsort(losses)[: len(losses) // 2]))
    rng = np.random.default_rng(SEED)
    by_chance = [np.sort(rng.permutation(maps.shape[1])[: maps.shape[1] // 2]) for maps in normal]
    for variant, channels in (("all channels", None), ("AFS 1/2", best), ("random 1/2", by_chance)):
        taken = [
            [one if channels is None else one[:, channels[at]] for at, one in enumerate(some)]
            for some in (normal, test)
        ]
        maps = PatchCore(bank_size=50, seed=SEED).fit(taken[0]).anomaly_maps(taken[1]).numpy()
        row = found.rows.set_index("variant").loc[variant]
        large = [upsample(one, SIDE) for one in maps]
        assert row["auroc"] == pytest.approx(roc_auc_score([0] * 4 + [1] * 4, [one.max() for one in large]), abs=1e-5)
        assert row["aupro"] == pytest.approx(aupro(large, truth), abs=1e-4)


def test_our_search_is_made_with_the_kinds_that_are_said(
    products: Path, tmp_path: Path, network: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "KIND_SETS", ("nsa,scratch", "sdas"))
    found = study("e-kinds", products, tmp_path, layers="blocks.3.0.*", most_layers=2)
    assert found.is_whole, found.rows["error"].tolist()
    settings = StudySettings.of({"layers": "blocks.3.0.*", "most_layers": 2})
    layers = ",".join(layer.name for layer in studied_layers(settings, network))
    made = {"layers": layers, "detector": PatchCore(bank_size=50, seed=SEED), "image_size": SIDE, "seed": SEED}
    for row, kind in zip(found.rows.itertuples(), ("nsa,scratch", "sdas"), strict=True):
        generator = tmp_path / "generators" / "bands" / f"seed-{SEED}" if kind == "sdas" else None
        inspector = fs.fit(products / "bands", defects=kind, generator=generator, device="cpu", pod=False, **made)
        assert row.defects == kind
        figures = fs.evaluate(inspector, open_dataset(products / "bands"), SIDE)
        assert row.auroc == pytest.approx(figures["auroc"], abs=1e-5)
        assert row.aupro == pytest.approx(figures["aupro_0.30"], abs=1e-4)
