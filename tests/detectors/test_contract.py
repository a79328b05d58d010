"""What every detector promises."""

from collections.abc import Callable

import pytest

from flawsight.detectors import DETECTORS, make_detector
from flawsight.testing import detector_checks, parametrize_with_checks

FLOW = {"couplings": 2, "hidden": 8, "width": 8, "blocks": 1, "epochs": 4, "batch_size": 32, "learning_rate": 1e-2}
STEPS = {"training_steps": 60, "batch_size": 4, "learning_rate": 5e-3}
PATCHES = {"neighbourhood": 1, "noise": 2.0, "hidden": 64, "epochs": 8, "batch_size": 200, "max_descriptors": 400}
QUICK: dict[str, dict] = {
    "ast": {**FLOW, "max_grid": 32},
    "autoencoder": {"side": 32, "width": 4, "latent": 4, "epochs": 6, "learning_rate": 0.02, "patience": None},
    "fastflow": {"flow_steps": 2, "training_steps": 8},
    "knn": {"neighbours": 1},
    "ocsvm": {"nu": 0.05},
    "patchcore": {"bank_size": 60, "max_descriptors": 200},
    "realnet": {"channels": (6, 8), "afs_pairs": 8, "pairs": 64, "standardise": True, **STEPS},
    "simplenet": {**PATCHES, "adaptor_learning_rate": 1e-3, "learning_rate": 2e-2},
}
"""Parameters that make a detector quick; one that is not named here is taken with its defaults."""
SAMPLING = ("patchcore", "simplenet")
SAMPLE = {
    "check_leave_out_is_a_fit_on_the_others": "the sample is another",
    "check_collected_bytes_grow_with_channels_and_images": "the sample is no larger",
}
"""What those that keep a sample of what they read cannot promise."""
TAUGHT = (
    "check_a_planted_defect_is_higher_where_it_is",
    "check_an_outlier_surprises_those_who_have_not_seen_it",
    "check_worse_is_higher",
)
"""What takes a training of some length; all else holds after a few steps, too."""

quick = {name: make_detector(name, **QUICK.get(name, {})) for name in DETECTORS}
thorough = {name: make_detector(name, **QUICK[name] | {"max_descriptors": None}) for name in SAMPLING}
slow = quick.pop("realnet")
hasty = make_detector("realnet", **QUICK["realnet"] | {"training_steps": 10})


@parametrize_with_checks(list((quick | thorough).values()))
def test_who_keeps_all_that_it_reads(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks([quick[name] for name in SAMPLING], expected_failures=SAMPLE)
def test_who_keeps_a_sample(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("name", dict(detector_checks(slow)))
def test_who_trains_for_long(name: str) -> None:
    dict(detector_checks(slow if name in TAUGHT else hasty))[name]()
