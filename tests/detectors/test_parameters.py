"""Parameters of estimators are their dataclass fields: they survive a clone and are listed."""

from dataclasses import fields

import pytest
from sklearn.base import BaseEstimator, clone
from torch import nn

from flawsight.core import FlawsightError
from flawsight.detectors import DETECTORS, AnomalySynthesis, RealNet, detector_name
from flawsight.detectors.bases.pooled import PooledDetector
from flawsight.features import ChannelSelection
from flawsight.generation import Generator
from flawsight.selection import LayerSelection
from flawsight.studies import SupervisedClassifier

ESTIMATORS: dict[str, type[BaseEstimator]] = {
    **DETECTORS,
    "channels": ChannelSelection,
    "generator": Generator,
    "selection": LayerSelection,
    "classifier": SupervisedClassifier,
}


@pytest.mark.parametrize("kind", ESTIMATORS.values(), ids=ESTIMATORS)
def test_they_survive_a_clone_and_are_listed(kind: type[BaseEstimator]) -> None:
    own = [field for field in fields(kind) if field.init]  # type: ignore[arg-type]
    assert own and "__eq__" not in vars(kind)
    values = {field.name: [field.name] for field in own}  # nothing that any of them would want
    estimator = kind(**values)
    assert estimator.get_params(deep=False) == values
    copy = clone(estimator)
    assert type(copy) is kind and copy is not estimator and copy.get_params(deep=False) == values
    assert copy != estimator and hash(copy) != hash(estimator)
    assert estimator.set_params(**{own[0].name: 3}).get_params()[own[0].name] == 3
    assert copy.get_params(deep=False) == values


def test_a_network_is_copied_with_the_classifier() -> None:
    estimator = SupervisedClassifier(nn.Linear(2, 1), epochs=3)
    assert clone(estimator).epochs == 3 and isinstance(clone(estimator).network, nn.Linear)


def test_what_is_attached_is_no_parameter_and_goes_with_a_clone() -> None:
    synthesis = AnomalySynthesis(lambda pictures: [], [])
    detector = RealNet(seed=4).attach(synthesis)
    assert clone(detector)._synthesis is synthesis and RealNet()._synthesis is None
    assert not [name for name in detector.get_params() if "synthesis" in name]


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(PooledDetector):
        pass

    Mine.__abstractmethods__ = frozenset()
    for name, kind in DETECTORS.items():
        assert detector_name(kind()) == name
    with pytest.raises(
        FlawsightError, match=r'Mine has no name .* flawsight\.detectors\.DETECTORS\["mine"\] = Mine, or'
    ):
        detector_name(Mine())
    monkeypatch.setitem(DETECTORS, "own", Mine)
    assert detector_name(Mine()) == "own"
