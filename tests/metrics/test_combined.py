import pytest

from flawsight.core import FlawsightError
from flawsight.metrics import harmonic_mean


def test_harmonic_mean():
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)
    assert harmonic_mean(0.8, 0.8) == pytest.approx(0.8)
    assert harmonic_mean(1.0, 0.0) == 0.0
    assert harmonic_mean(0.0, 0.0) == 0.0


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_only_figures_between_0_and_1(bad):
    for pair in ((bad, 0.5), (0.5, bad)):
        with pytest.raises(FlawsightError, match="between 0 and 1"):
            harmonic_mean(*pair)
