"""Detectors by name."""

import pytest

from flawsight.core import FlawsightError
from flawsight.detectors import DETECTORS, make_detector


def test_unknown_names_and_parameters() -> None:
    with pytest.raises(FlawsightError, match="did you mean patchcore"):
        make_detector("patchcor")
    with pytest.raises(FlawsightError, match=r"unknown detector 'zzz'.*patchcore"):
        make_detector("zzz")
    for name in DETECTORS:
        with pytest.raises(FlawsightError, match=f"unknown parameter of the detector '{name}' 'bank_sise'"):
            make_detector(name, bank_sise=3)
