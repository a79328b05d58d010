import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from flawsight.core import FlawsightError
from flawsight.metrics import auroc, f1_max, rates


@st.composite
def two_classes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    good, defective = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    levels = draw(st.sampled_from([1, 2, 4, 20, 10**6]))
    scores = (rng.integers(0, levels, good + defective) / 3).astype(draw(st.sampled_from([np.float32, np.float64])))
    return scores, rng.permutation(np.repeat([0, 1], [good, defective]))


@given(two_classes())
def test_auroc_equals_scikit_learn(case):
    scores, labels = case
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(two_classes())
def test_auroc_sees_only_the_order_and_mirrors(case):
    scores, labels = case
    assert auroc(np.exp(scores.astype(np.float64) / 1e5), labels) == auroc(scores, labels)
    assert auroc(-scores, labels) == pytest.approx(1 - auroc(scores, labels), abs=1e-12)
    assert auroc(scores, labels.astype(bool)) == auroc(scores, labels)


def test_auroc_counts_ties_one_half():
    assert auroc([1, 2, 2, 3], [0, 0, 1, 1]) == 3.5 / 4
    assert auroc([5, 5], [0, 1]) == 0.5
    assert auroc([-np.inf, np.inf], [0, 1]) == 1.0


@given(two_classes())
def test_f1_max_is_the_best_over_all_thresholds(case):
    scores, labels = case
    best = max(f1_score(labels, scores >= threshold) for threshold in np.unique(scores))
    assert f1_max(scores, labels) == pytest.approx(best, abs=1e-12)


def test_a_score_equal_to_the_threshold_is_no_alarm():
    assert rates([1, 2, 2, 3], [0, 0, 1, 1], threshold=2) == (0.0, 0.5)
    assert rates([1, 2, 2, 3], [0, 0, 1, 1], threshold=1.5) == (0.5, 1.0)


def test_float32_scores_meet_a_float64_threshold_unrounded():
    score = np.array([1.0], np.float32)
    assert rates(score, [1], threshold=1 - 1e-12).detection_rate == 1.0
    assert rates(score, [1], threshold=1 + 1e-12).detection_rate == 0.0


def test_a_rate_without_images_is_none():
    assert rates([1.0, 3.0], [0, 0], 2) == (0.5, None)
    assert rates([1.0, 3.0], [1, 1], 2) == (None, 0.5)


@pytest.mark.parametrize("figure", [auroc, f1_max])
@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.0, 2.0], [0, 0], "no defective images"),
        ([1.0, 2.0], [1, 1], "no good images"),
        ([1.0, np.nan], [0, 1], "NaN, first at index 1"),
        ([1.0, 2.0, 3.0], [0, 1], "one label per score"),
        ([1.0, 2.0], [0, 2], "unknown label"),
        ([1.0, 2.0], [0, -1], "unknown label"),
        ([[1.0], [2.0]], [[0], [1]], "one-dimensional"),
        (["a", "b"], [0, 1], "real numbers"),
    ],
)
def test_bad_input_is_explained(figure, scores, labels, message):
    with pytest.raises(FlawsightError, match=message):
        figure(scores, labels)
