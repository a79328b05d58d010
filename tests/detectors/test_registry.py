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


@pytest.mark.parametrize("name", DETECTORS)
def test_who_trains_says_that_its_scale_varies(name: str) -> None:
    tags = make_detector(name).tags
    assert tags.scale_varies == (tags.cv_folds == 2)  # those whose learning is slow
