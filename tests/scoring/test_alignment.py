"""What one training answers becomes what another would have answered, whatever the scales of both."""

import numpy as np
import pytest

from flawsight.scoring import Alignment, RawPrediction


def answers(seed: int, spread: float = 1.0) -> RawPrediction:
    rng = np.random.default_rng(seed)
    maps = rng.gamma(2.0, spread, (20, 16, 16)).astype(np.float32)
    return RawPrediction(maps, maps.mean((1, 2)))


def of_another(found: RawPrediction, factor: float, shift: float) -> RawPrediction:
    assert found.scores is not None
    return RawPrediction(factor * found.maps + shift, factor * found.scores + shift)


@pytest.mark.parametrize(("factor", "shift"), [(1, 0), (40, 0), (0.01, 5), (3, -200)])
def test_other_units_are_taken_back(factor: float, shift: float) -> None:
    seen, new = answers(0), answers(1, spread=3.0)  # new ones lie far beyond all that was seen, too
    aligned = Alignment.of(seen, of_another(seen, factor, shift))(new)
    wanted = of_another(new, factor, shift)
    above = new.maps > np.quantile(seen.maps, 0.02)  # below the lowest knot nothing is told apart
    assert np.allclose(aligned.maps[above], wanted.maps[above], rtol=1e-2, atol=1e-2 * factor)
    assert np.allclose(aligned.scores, wanted.scores, rtol=1e-3, atol=1e-3 * factor)
    assert np.array_equal(np.argsort(aligned.maps.max((1, 2))), np.argsort(new.maps.max((1, 2))))


def test_a_bent_scale_is_taken_back_where_both_have_seen_something() -> None:
    seen, new = answers(0), answers(1)
    aligned = Alignment.of(seen, seen._replace(maps=seen.maps**2))(new)
    inside = (new.maps > np.quantile(seen.maps, 0.1)) & (new.maps < np.quantile(seen.maps, 0.99))
    assert np.allclose(aligned.maps[inside], new.maps[inside] ** 2, rtol=0.1, atol=0.05)


def test_a_detector_without_scores_of_its_own_gets_none() -> None:
    bare = answers(0)._replace(scores=None)
    assert Alignment.of(bare, bare)(bare).scores is None


def test_one_picture_of_one_value_is_enough() -> None:
    one = RawPrediction(np.full((1, 1, 1), 2.0, np.float32), np.array([2.0]))
    aligned = Alignment.of(one, of_another(one, 10, 0))(one)
    assert aligned.maps.item() == pytest.approx(20) and aligned.scores == pytest.approx(20)
