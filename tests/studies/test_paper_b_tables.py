"""Paper B's oracles, counts and correlations on rows that were thought of, against brute force."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from flawsight.studies import STUDIES
from flawsight.studies.papers.b.hypothesis import BEST, MATCH, MEAN, OURS, SMALL, choices, correlations
from flawsight.studies.papers.b.ladder import CHOSEN, CHOSEN_SIZE, ENSEMBLE, ORACLES, SIZE, ladder
from flawsight.studies.papers.b.measure import COLUMNS
from flawsight.studies.papers.b.tables import times_best
from flawsight.studies.papers.b.units import SYNTHETIC

CATEGORIES, SIDES, NETWORKS, LAYERS = ("nut", "bolt", "cap"), (256, 384), ("one", "two"), ("a", "b", "c")
FIGURES = ("auroc", "aupro", "p_h")


def frame(lines: list[dict]) -> pd.DataFrame:
    """Rows of units that were made."""
    texts = dict.fromkeys(("weights", "defects", "variant", "reads", "error"), "")
    numbers = {name: math.nan for name, kind in COLUMNS.items() if kind is float}
    start = {**texts, **numbers, "extractor": "one", "image_size": 256, "method": "patchcore", "seed": 0}
    return pd.DataFrame([{**start, "status": "made", **line} for line in lines])


def study_rows(seed: int, seeds: tuple[int, ...] = (0, 1), ties: bool = False) -> pd.DataFrame:
    """All candidates with drawn figures, on real and on synthetic defects, and what they are compared with."""
    rng = np.random.default_rng(seed)

    def figures() -> dict[str, float]:
        return {
            name: float(value) for name, value in zip(FIGURES, np.round(rng.random(3), 1 if ties else 9), strict=True)
        }

    lines = []
    for category, side, network, layer, run in itertools.product(CATEGORIES, SIDES, NETWORKS, LAYERS, seeds):
        unit = {"category": category, "image_size": side, "extractor": network, "layers": layer, "seed": run}
        about = {"rrf": float(rng.random()), "defect_size": 0.1 * (1 + CATEGORIES.index(category))}
        lines += [{**unit, **about, **figures()}, {**unit, "defects": SYNTHETIC, "criterion": float(rng.normal())}]
    for category, run in itertools.product(CATEGORIES, seeds):
        unit = {"category": category, "seed": run}
        lines += [{**unit, "layers": "pair", **figures()}, {**unit, "layers": "auto", **figures()}]
        lines.append({**unit, "layers": "pair", "variant": "official", "extractor": "one+two", **figures()})
    return frame(lines)


def cube(rows: pd.DataFrame, value: str, run: int, defects: str = "") -> np.ndarray:
    """Values by category, size, network and layer, looked up one by one."""
    some = rows[(rows["seed"] == run) & (rows["defects"] == defects)]
    found = np.full((len(CATEGORIES), len(SIDES), len(NETWORKS), len(LAYERS)), np.nan)
    for at in np.ndindex(found.shape):
        names = (CATEGORIES[at[0]], SIDES[at[1]], NETWORKS[at[2]], LAYERS[at[3]])
        keys = ("category", "image_size", "extractor", "layers")
        one = some[np.logical_and.reduce([some[key] == name for key, name in zip(keys, names, strict=True)])]
        found[at] = one[value].iloc[0]
    return found


def levels(rows: pd.DataFrame, figure: str, run: int) -> dict[str, float]:
    found = ladder(rows)
    return found[(found["figure"] == figure) & (found["seed"] == run)].set_index("level")["value"].to_dict()


@pytest.mark.parametrize("figure", ["auroc", "aupro"])
def test_oracles_are_the_best_by_brute_force(figure: str) -> None:
    rows = study_rows(0)
    for run in (0, 1):
        found, values = levels(rows, figure, run), cube(rows, figure, run)
        here = values[:, 0]
        assert [found[level] for level in ORACLES] == pytest.approx(
            [
                here.mean(),
                max(here[:, network].mean() for network in range(2)),
                max(here[:, network, layer].mean() for network in range(2) for layer in range(3)),
                np.mean([one.max() for one in here]),
                np.mean([one.max() for one in values]),
            ]
        )


def test_what_synthetic_defects_choose_is_measured_on_real_ones() -> None:
    rows = study_rows(1)
    values, said = cube(rows, "auroc", 1), cube(rows, "criterion", 1, SYNTHETIC)
    found = levels(rows, "auroc", 1)
    for level, sides in ((CHOSEN, 1), (CHOSEN_SIZE, 2)):
        picked = [one[:sides].ravel()[np.argmax(by[:sides])] for one, by in zip(values, said, strict=True)]
        assert found[level] == pytest.approx(np.mean(picked))
    beside = rows[(rows["seed"] == 1) & (rows["variant"] == "official")]
    assert found[ENSEMBLE] == pytest.approx(beside["auroc"].mean())


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.booleans(), st.floats(0, 0.3))
def test_knowing_more_is_never_worse(seed: int, ties: bool, missing: float) -> None:
    rows = study_rows(seed, (0,), ties)
    rng = np.random.default_rng(seed)
    lost = rng.random(len(rows)) < missing
    rows.loc[lost, ["auroc", "aupro", "p_h", "criterion"]] = math.nan
    rows.loc[lost, "status"] = "missing"
    found = ladder(rows)
    for figure in ("auroc", "aupro"):
        own = found[found["figure"] == figure].set_index("level")
        known = own["value"].reindex(ORACLES).to_numpy()
        assert np.isnan(known).all() or (np.diff(known) >= -1e-12).all()
        assert not own["is_whole"].all() or not lost.any()
        if not np.isnan(known).all() and not lost.any():
            assert own.loc[CHOSEN_SIZE, "value"] <= own.loc[SIZE, "value"] + 1e-12


def test_equally_good_layers_share_a_category() -> None:
    values = {"nut": (0.9, 0.9, 0.1), "bolt": (0.2, 0.7, 0.1), "cap": (0.8, 0.8, 0.8)}
    lines = [
        {"category": category, "layers": layer, "rrf": place / 10, "auroc": value}
        for category, some in values.items()
        for place, (layer, value) in enumerate(zip(LAYERS, some, strict=True))
    ]
    found = times_best(frame(lines))
    auroc = found[found["figure"] == "auroc"].set_index("layers")
    assert auroc["times"].to_dict() == pytest.approx({"a": 1 / 2 + 1 / 3, "b": 1 / 2 + 1 + 1 / 3, "c": 1 / 3})
    assert auroc["share"].sum() == pytest.approx(1)
    assert found[found["figure"] == "aupro"]["times"].sum() == 0  # no masks: nobody is the best


@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_counts_are_those_of_brute_force(seed: int) -> None:
    rows = study_rows(seed, ties=True)
    found = times_best(rows)
    assert len(found) == 2 * len(SIDES) * len(NETWORKS) * len(LAYERS)
    for figure in ("auroc", "aupro"):
        expected = np.zeros((len(SIDES), len(NETWORKS), len(LAYERS)))
        for run in (0, 1):
            for one in cube(rows, figure, run):
                expected += (one == one.max()) / (one == one.max()).sum() / 2
        own = found[found["figure"] == figure].set_index(["network", "layers"])["times"]
        for at in np.ndindex(expected.shape):
            assert own[f"{NETWORKS[at[1]]} at {SIDES[at[0]]}", LAYERS[at[2]]] == pytest.approx(expected[at])


def test_correlations_are_those_of_scipy() -> None:
    rows = study_rows(2)
    found = correlations(rows).set_index(["category", "image_size", "seed", "rule"])["rho"]
    worth = choices(rows).set_index(["category", "image_size", "seed", "rule"])["p_h"]
    for run in (0, 1):
        p_h, fields, said = (
            cube(rows, name, run, defects) for name, defects in (("p_h", ""), ("rrf", ""), ("criterion", SYNTHETIC))
        )
        for place, side in itertools.product(range(len(CATEGORIES)), range(len(SIDES))):
            real, field, synthetic = (one[place, side].ravel() for one in (p_h, fields, said))
            size = 0.1 * (1 + place)
            by = {MATCH: -np.abs(field - size), SMALL: -field, OURS: synthetic}
            for rule, values in by.items():
                key = (CATEGORIES[place], SIDES[side], run, rule)
                assert found[key] == pytest.approx(spearmanr(values, real).statistic)
                assert worth[key] == pytest.approx(real[np.argmax(values)])
            assert worth[(*key[:3], BEST)] == real.max() and worth[(*key[:3], MEAN)] == pytest.approx(real.mean())


NAMES = [name for name in STUDIES if name.startswith("b-") and name != "b-receptive-fields"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_marked_and_never_a_number(name: str) -> None:
    rows = study_rows(3)
    assert "†" not in "".join(table.markdown for table in STUDIES[name].tables(rows))
    rows.loc[rows["category"] == "cap", ["aupro", "p_h", "defect_size"]] = math.nan  # no masks
    rows.loc[4, ["auroc", "aupro", "p_h", "criterion", "rrf"]] = math.nan
    rows.loc[4, "status"] = "failed"
    text = "".join(table.markdown for table in STUDIES[name].tables(rows))
    assert "†" in text and "nan" not in text
    rows[["aupro", "p_h", "defect_size"]] = math.nan
    drawn = STUDIES[name].figure
    text = "".join(table.markdown for table in STUDIES[name].tables(rows)) + (drawn(rows) if drawn else "")
    assert "nan" not in text and "NaN" not in text
