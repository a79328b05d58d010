"""The checks bite: each flaw is found by the check that is for it, and a sound detector passes all."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from flawsight.detectors import Detector, FeatureMaps, TrainingContext
from flawsight.testing import detector_checks

Usual = Callable[..., Any]
Collected = Sequence[Tensor]
FLAWS: dict[str, tuple[str, dict[str, Any]]] = {
    "lower is anomalous": ("check_worse_is_higher", {"anomaly_maps": lambda usual, _, features: -usual(features)}),
    "finds it elsewhere": (
        "check_a_planted_defect_is_higher_where_it_is",
        {"anomaly_maps": lambda usual, _, features: usual(features).flip(1)},
    ),
    "answers NaN": (
        "check_fit_returns_self_and_shapes",
        {"anomaly_maps": lambda usual, _, features: usual(features) * float("nan")},
    ),
    "keeps an axis of channels": (
        "check_fit_returns_self_and_shapes",
        {"anomaly_maps": lambda usual, _, features: usual(features)[:, None]},
    ),
    "compares images of a batch": (
        "check_maps_do_not_depend_on_the_batches",
        {"anomaly_maps": lambda usual, _, features: usual(features) - usual(features).mean(0)},
    ),
    "works in place": (
        "check_features_are_not_modified",
        {"anomaly_maps": lambda usual, _, features: usual([values.mul_(1.001) for values in features])},
    ),
    "judges anything": (
        "check_bad_features_are_not_judged",
        {"anomaly_maps": lambda usual, _, features: usual([torch.nan_to_num(values) for values in features])},
    ),
    "learns from anything": (
        "check_bad_features_are_refused_by_fit",
        {"embed": lambda usual, _, features, first: usual([torch.nan_to_num(v) for v in features], first)},
    ),
    "gives other scores with the maps": (
        "check_both_answers_at_once_are_those_asked_for_alone",
        {"maps_and_scores": lambda usual, _, features: (usual(features)[0], usual(features)[1] + 1)},
    ),
    "says that it scores images": (
        "check_who_does_not_score_images_takes_the_maximum",
        {"tags": {"image_score": True}},
    ),
    "answers otherwise in a graph": (
        "check_a_graph_gives_the_same_answers",
        {
            "tags": {"exportable": True},
            "anomaly_maps": lambda usual, _, features: usual(features) + float(torch.compiler.is_exporting()),
        },
    ),
    "has one fold": ("check_tags", {"tags": {"cv_folds": 1}}),
    "is no cheaper": (
        "check_low_fidelity_differs_in_cost_only",
        {"low_fidelity": lambda _, self: type(self)(floor=2 * self.floor)},
    ),
    "breaks before fit": ("check_use_before_fit", {"_require": lambda _, self, name: getattr(self, name)}),
    "forgets in state_dict": (
        "check_what_was_learned_goes_through_a_file",
        {"state_dict": lambda usual, self: {**usual(), "deviation": torch.ones_like(self.deviation_)}},
    ),
    "remembers after a reset": ("check_a_second_fit_forgets_the_first", {"_forget": lambda *_: None}),
    "holds less of more": (
        "check_collected_bytes_never_fall",
        {"collected_bytes": lambda _, self, channels, places, images: 10**9 // channels},
    ),
    "holds no more of more": (
        "check_collected_bytes_grow_with_channels_and_images",
        {"collected_bytes": lambda *_: 10**6},
    ),
}
"""What is wrong with each, the check that must find it, and how it differs from a sound one."""


def flaw(check: str) -> Callable[[Callable], Callable]:
    """Note a method that is too long for a line, under its own name, as one of `_learn`, `finalize`, ..."""

    def noted(method: Callable) -> Callable:
        title, _, name = method.__name__.partition("__")
        FLAWS[title.replace("_", " ")] = check, {name: method}
        return method

    return noted


@flaw("check_fitting_does_not_touch_the_parameters")
def mutates_its_parameters___learn(usual: Usual, self: Any, *args: Any) -> None:
    usual(*args)
    self.floor = self.floor / 2


@flaw("check_same_data_same_maps")
def draws_from_the_global_state___learn(usual: Usual, self: Any, *args: Any) -> None:
    usual(*args)
    self.mean_ = self.mean_ + 0.01 * torch.rand(())


@flaw("check_the_global_random_state_is_left_alone")
def seeds_the_global_state___learn(usual: Usual, self: Any, *args: Any) -> None:
    torch.manual_seed(0)
    usual(*args)


@flaw("check_labels_are_ignored")
def learns_from_labels__fit(usual: Usual, self: Any, features: FeatureMaps, y: object = None) -> Detector:
    usual(features)
    self.mean_ = self.mean_ + (y is not None)
    return self


@flaw("check_fit_does_not_depend_on_the_batches")
def learns_from_its_last_batch__finalize(usual: Usual, self: Any, *training: TrainingContext) -> Detector:
    self._collected = self._collected[-1:]
    return usual(*training)


@flaw("check_no_images")
def learns_from_nothing__finalize(usual: Usual, self: Any, *training: TrainingContext) -> Detector:
    if self.images_taken:
        return usual(*training)
    self.mean_, self.deviation_ = torch.zeros(3), torch.ones(3)
    return self


@flaw("check_nobody_is_left")
def learns_from_nobody__finalize(usual: Usual, self: Any, *training: TrainingContext) -> Detector:
    return learns_from_nothing__finalize(usual, self, *training)


@flaw("check_a_finished_training_is_not_repeated_otherwise")
def tells_too_much__finalize(usual: Usual, self: Any, training: TrainingContext | None = None) -> Detector:
    if training and training.advance:
        training.advance(1.5)
    return usual(training)


@flaw("check_leave_out_is_a_fit_on_the_others")
def leaves_nothing_out__leave_out(usual: Usual, self: Any, images: Collection[int]) -> Detector:
    other = usual(())
    other.images_taken -= len(images)
    return other


@flaw("check_an_outlier_surprises_those_who_have_not_seen_it")
def leaves_nobody_out__leave_out(usual: Usual, self: Any, images: Collection[int]) -> Detector:
    return leaves_nothing_out__leave_out(usual, self, images)


@flaw("check_who_goes_on_does_not_notice_who_left")
def hands_over_what_it_collected__leave_out(usual: Usual, self: Any, images: Collection[int]) -> Detector:
    other = usual(images)
    self._collected = other._collected
    return other


@flaw("check_embed_changes_nothing")
def keeps_what_it_reads__embed(usual: Usual, self: Any, *args: Any) -> Collected:
    found = usual(*args)
    self._collected.append([values + 1 for values in found])
    return found


@flaw("check_images_are_counted")
def does_not_count__update(usual: Usual, self: Any, embedded: Collected) -> None:
    usual(embedded)
    self.images_taken = max(1, self.images_taken - 1)


@flaw("check_an_empty_batch_changes_nothing")
def starts_again_at_an_empty_batch__update(usual: Usual, self: Any, embedded: Collected) -> None:
    if not len(embedded[0]):
        self.reset()
    usual(embedded)


@flaw("check_one_image_is_enough_to_fit")
def needs_two_images___learn(usual: Usual, self: Any, collected: Collected, training: TrainingContext | None) -> None:
    usual(collected, training)
    self.mean_ = self.mean_ * (1 if len(collected[0]) > 1 else float("nan"))


@flaw("check_images_without_any_variation")
def needs_variation___learn(usual: Usual, self: Any, collected: Collected, training: TrainingContext | None) -> None:
    usual(collected, training)
    self.deviation_ = collected[0].flatten(0, 2).std(0)


@flaw("check_channels_last_memory_is_the_same")
def reads_memory_as_it_lies__anomaly_maps(usual: Usual, self: Any, features: FeatureMaps) -> Tensor:
    first = features[0]
    lies = torch.as_strided(first, first.shape, torch.empty(first.shape).stride())
    return usual([lies, *features[1:]])


@flaw("check_features_of_an_inference_pass")
def needs_gradients__embed(usual: Usual, self: Any, features: FeatureMaps, first: int) -> Collected:
    return usual([values.requires_grad_().detach() for values in features], first)


@flaw("check_features_of_other_layers_than_in_fit")
def judges_other_layers__anomaly_maps(usual: Usual, self: Any, features: FeatureMaps) -> Tensor:
    learned = len(self._require("mean_"))
    return usual(features if sum(values.shape[1] for values in features) == learned else features[:1])


@flaw("check_low_fidelity_detects")
def is_cheap_and_blind__low_fidelity(usual: Usual, self: Any) -> Detector:
    cheap = usual()
    cheap.image_scores = lambda features: torch.full((len(features[0]),), float("nan"))
    return cheap


def test_a_sound_one_passes(flawed: Callable[..., Detector], failing: Callable[[Detector], list[str]]) -> None:
    assert failing(flawed()) == []


@pytest.mark.parametrize(("check", "spoilt"), FLAWS.values(), ids=FLAWS)
def test_a_flaw_is_found_by_the_check_that_is_for_it(
    flawed: Callable[..., Detector], failing: Callable[[Detector], list[str]], check: str, spoilt: dict
) -> None:
    assert check in failing(flawed(**spoilt))


def test_parameters_are_not_looked_at(
    channel_distance: type[Detector], failing: Callable[[Detector], list[str]]
) -> None:
    @dataclass(eq=False, repr=False)
    class Looks(channel_distance):  # type: ignore[misc,valid-type]
        def __post_init__(self) -> None:
            self.floor = float(self.floor)

    assert failing(Looks()) == ["check_parameters_are_stored_unchanged_and_cloned"]


def test_every_check_finds_something(flawed: Callable[..., Detector]) -> None:
    found = {check for check, _ in FLAWS.values()} | {"check_parameters_are_stored_unchanged_and_cloned"}
    assert {name for name, _ in detector_checks(flawed())} == found
