"""How checks are run: what is said of those that fail, and of those that were expected to."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from flawsight.core import FlawsightError
from flawsight.detectors import Detector
from flawsight.testing import check_detector, detector_checks, parametrize_with_checks

GLOBAL = "check_the_global_random_state_is_left_alone"


def seeds(usual: Callable, _: Detector, *args: object) -> None:
    torch.manual_seed(0)
    usual(*args)


def test_all_that_fails_is_named(flawed: Callable[..., Detector]) -> None:
    with pytest.raises(AssertionError) as caught:
        check_detector(flawed(anomaly_maps=lambda usual, _, features: -usual(features)))
    text = str(caught.value)
    assert "of Flawed()" in text and "\ncheck_worse_is_higher: worse is not higher: [" in text
    assert "check_a_planted_defect_is_higher_where_it_is: images with a planted defect do not score above" in text
    assert "(with maps of shapes [(6, 8, 8)])" in text
    assert "check_labels_are_ignored" not in text


def test_an_unforeseen_error_is_named_too(flawed: Callable[..., Detector]) -> None:
    with pytest.raises(AssertionError, match=r"\ncheck_worse_is_higher: ZeroDivisionError: .* \(with maps of"):
        check_detector(flawed(anomaly_maps=lambda *_: 1 // 0))


def test_the_instance_itself_is_left_alone(flawed: Callable[..., Detector]) -> None:
    detector = flawed()
    before = dict(vars(detector))
    check_detector(detector)
    assert vars(detector) == before


def test_expected_failures(flawed: Callable[..., Detector], failing: Callable[[Detector], list[str]]) -> None:
    sound, spoilt = flawed(), flawed(_learn=seeds)
    assert failing(spoilt) == [GLOBAL]
    check_detector(spoilt, expected_failures={GLOBAL: "it is meant to"})
    with pytest.raises(AssertionError, match=rf"1 of \d+ checks .*\n{GLOBAL} was expected to fail \(why\), but passes"):
        check_detector(sound, expected_failures={GLOBAL: "why"})
    with pytest.raises(FlawsightError, match=r"unknown check 'check_labels': did you mean .*check_labels_are_ignored"):
        check_detector(sound, expected_failures={"check_labels": "why"})
    with pytest.raises(FlawsightError, match=f"'{GLOBAL}' is expected to fail: say why"):
        check_detector(spoilt, expected_failures={GLOBAL: ""})


def test_one_test_for_each_detector_and_check(channel_distance: type[Detector]) -> None:
    detectors = [channel_distance(), channel_distance(floor=0.5)]  # type: ignore[call-arg]
    names = [name for name, _ in detector_checks(detectors[0])]
    mark = parametrize_with_checks(detectors, expected_failures={names[1]: "why"})
    argument, cases = mark.args
    assert argument == "check" and len(cases) == 2 * len(names) and len(set(names)) == len(names) > 30
    assert [case.id for case in cases[: len(names)]] == [f"ChannelDistance-{name[6:]}" for name in names]
    cases[0].values[0]()
    (expected,) = cases[1].marks
    assert expected.name == "xfail" and expected.kwargs == {"reason": "why", "raises": AssertionError, "strict": True}
    assert not cases[0].marks and cases[1 + len(names)].marks


def test_it_does_not_need_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import flawsight.testing as t; from flawsight.detectors import KNearest; t.check_detector(KNearest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
