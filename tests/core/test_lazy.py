"""Names loaded when they are asked for, and old names that say what they are called now."""

import sys
from types import ModuleType

import pytest

import flawsight.detectors
import flawsight.features
from flawsight.core import INPUT, lazy_names, warn_renamed


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module with a name of its own, one of another module, and an old one."""
    made = ModuleType("made")
    made.New = object()  # type: ignore[attr-defined]
    made.__getattr__ = lazy_names("made", {"dumps": "json", "gone": "json"}, {"Old": "New"})  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "made", made)
    return made


def test_names_of_other_modules(module: ModuleType) -> None:
    import json

    assert module.dumps is json.dumps
    with pytest.raises(AttributeError, match="gone"):
        _ = module.gone


def test_an_old_name_warns_and_gives_the_new_thing(module: ModuleType) -> None:
    with pytest.warns(DeprecationWarning, match=r"'made.Old' is now called 'New'; .* gone in 0\.\d") as caught:
        assert module.Old is module.New
    assert caught[0].filename == __file__


def test_unknown_names(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match="module 'made' has no attribute 'Neu'"):
        _ = module.Neu
    assert not hasattr(flawsight.detectors, "Neu") and not hasattr(flawsight.features, "Neu")
    with pytest.raises(ImportError):
        from flawsight.detectors import Neu  # noqa: F401


def test_old_names_of_ours() -> None:
    with pytest.warns(DeprecationWarning, match="AsymmetricStudentTeacher"):
        assert flawsight.detectors.AsymST is flawsight.detectors.AsymmetricStudentTeacher
    with pytest.warns(DeprecationWarning, match="INPUT"):
        assert flawsight.features.PICTURE is INPUT


def test_a_warning_points_at_who_asked() -> None:
    def renamed() -> None:
        warn_renamed("old", "new")

    with pytest.warns(DeprecationWarning, match="'old' is now called 'new'") as caught:
        renamed()
    assert caught[0].filename == __file__


def test_every_lazy_name_is_there() -> None:
    for name in flawsight.detectors.__all__:
        assert getattr(flawsight.detectors, name) is not None
