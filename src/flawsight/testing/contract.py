"""Runs the checks: all on one detector, or one test for each of them and each of several detectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from flawsight.core import FlawsightError, unknown
from flawsight.detectors import Detector
from flawsight.testing import collecting, errors, exporting, parameters, results, storage
from flawsight.testing.data import Check

if TYPE_CHECKING:
    import pytest

CHECKS: dict[str, Check] = {
    name: check
    for theme in (parameters, collecting, results, storage, errors, exporting)
    for name, check in vars(theme).items()
    if name.startswith("check_")
}


def detector_checks(detector: Detector) -> Iterator[tuple[str, Callable[[], None]]]:
    """The name of each check, and the check of this detector: call it; AssertionError says what is wrong.

    >>> from flawsight.detectors import PatchCore
    >>> len(list(detector_checks(PatchCore()))) > 30
    True
    """
    for name in CHECKS:
        yield name, partial(_run, name, detector)


def check_detector(detector: Detector, *, expected_failures: Mapping[str, str] | None = None) -> None:
    """Raise AssertionError, naming the checks, unless the detector passes all but those expected to fail.

    `expected_failures`: names of checks and why each fails; one that passes after all is reported, too.

    >>> from flawsight.detectors import KNearest
    >>> check_detector(KNearest())
    """
    expected = _reasons(expected_failures)
    failed = []
    for name, check in detector_checks(detector):
        try:
            check()
        except AssertionError as error:
            if name not in expected:
                failed.append(str(error))
        else:
            if name in expected:
                failed.append(f"{name} was expected to fail ({expected[name]}), but passes")
    if failed:
        raise AssertionError(f"{len(failed)} of {len(CHECKS)} checks of {detector}:\n" + "\n".join(failed))


def parametrize_with_checks(
    detectors: Sequence[Detector], *, expected_failures: Mapping[str, str] | None = None
) -> pytest.MarkDecorator:
    """Make a test of each check of each detector: `def test_contract(check): check()`.

    >>> from flawsight.detectors import KNearest
    >>> parametrize_with_checks([KNearest()]).name
    'parametrize'
    """
    import pytest

    expected = _reasons(expected_failures)
    cases = []
    for detector in detectors:
        for name, check in detector_checks(detector):
            reason = expected.get(name)
            marks = [pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True)] if reason else []
            title = f"{type(detector).__name__}-{name.removeprefix('check_')}"
            cases.append(pytest.param(check, id=title, marks=marks))
    return pytest.mark.parametrize("check", cases)


def _run(name: str, detector: Detector) -> None:
    try:
        CHECKS[name](detector)
    except Exception as error:
        said = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        raise AssertionError(f"{name}: {said}{error}{notes}") from error


def _reasons(expected_failures: Mapping[str, str] | None) -> Mapping[str, str]:
    for name, reason in (expected_failures or {}).items():
        if name not in CHECKS:
            raise unknown("check", name, CHECKS)
        if not reason:
            raise FlawsightError(f"the check '{name}' is expected to fail: say why")
    return expected_failures or {}
