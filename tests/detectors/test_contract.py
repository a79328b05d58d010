"""What every detector promises."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import Tensor

from flawsight.detectors import DETECTORS, Detector, FeatureMaps, make_detector
from flawsight.errors import FlawsightError

QUICK: dict[str, dict] = {"patchcore": {"bank_size": 60, "max_descriptors": 200}}
"""Parameters that make a detector quick; one that is not named here is taken with its defaults."""

THOROUGH: dict[str, dict] = {"patchcore": {"bank_size": 60, "max_descriptors": None}}
"""Parameters with which a detector keeps all that it reads until it has learned."""

ALL = pytest.mark.parametrize("name", DETECTORS)
SHAPES = [(6, 8, 8)]
TWO_LAYERS = [(6, 8, 8), (10, 4, 4)]
NOT_SQUARE = [(3, 5, 9), (4, 10, 18), (2, 3, 4)]
EVERY_SHAPE = pytest.mark.parametrize("shapes", [SHAPES, TWO_LAYERS, NOT_SQUARE])


def quick(name: str) -> Detector:
    return make_detector(name, **QUICK.get(name, {}))


def thorough(name: str) -> Detector:
    return make_detector(name, **THOROUGH.get(name, {}))


def collected(detector: Detector, features: FeatureMaps, *sizes: int) -> Detector:
    """The detector when it has taken these images, and before it learns."""
    detector.start()
    for batch in split(features, *sizes):
        detector.collect(batch)
    return detector


def good(count: int, shapes: list[tuple[int, int, int]], seed: int = 0) -> list[Tensor]:
    """Feature maps of good images: each channel has its own level and a little noise."""
    rng = np.random.default_rng(seed)
    level = [np.random.default_rng([9, c]).normal(size=(1, c, 1, 1)) for c, _, _ in shapes]
    return [
        torch.tensor(mean + 0.1 * rng.normal(size=(count, *shape)), dtype=torch.float32)
        for mean, shape in zip(level, shapes, strict=True)
    ]


def split(features: FeatureMaps, *sizes: int) -> list[list[Tensor]]:
    return [list(batch) for batch in zip(*[values.split(list(sizes)) for values in features], strict=True)]


@ALL
def test_parameters_are_stored_unchanged_and_cloned(name: str) -> None:
    detector = quick(name)
    parameters = detector.get_params()
    assert QUICK.get(name, {}).items() <= parameters.items()
    other = DETECTORS[name]()
    assert other.set_params(**parameters) is other
    for copy in (clone(detector), other, DETECTORS[name](**parameters)):
        assert copy.get_params() == parameters
        assert not [attribute for attribute in vars(copy) if attribute.endswith("_")]
    sentinels = {parameter: object() for parameter in parameters}  # whatever it is, the constructor does not look
    made = DETECTORS[name](**sentinels)
    assert all(getattr(made, parameter) is value for parameter, value in sentinels.items())


@ALL
def test_fitting_does_not_touch_the_parameters(name: str) -> None:
    detector = quick(name)
    before = detector.get_params()
    detector.fit(good(6, SHAPES))
    assert detector.get_params() == before
    learned = {attribute for attribute in vars(detector) if attribute.endswith("_")}
    assert learned and not learned & before.keys()
    with pytest.raises(NotFittedError):
        clone(detector).anomaly_maps(good(1, SHAPES))


@ALL
@EVERY_SHAPE
def test_fit_returns_self_and_shapes(name: str, shapes: list) -> None:
    detector = quick(name)
    assert detector.fit(good(6, shapes)) is detector
    maps = detector.anomaly_maps(good(5, shapes, seed=1))
    assert maps.ndim == 3 and len(maps) == 5
    assert tuple(maps.shape[1:]) in {shape[1:] for shape in shapes}
    scores = detector.image_scores(good(5, shapes, seed=1))
    assert scores.shape == (5,)
    assert torch.isfinite(maps).all() and torch.isfinite(scores).all()
    assert detector.anomaly_maps(good(1, shapes, seed=1)).shape == (1, *maps.shape[1:])


@ALL
def test_labels_are_ignored(name: str) -> None:
    features = good(6, SHAPES)
    plain = quick(name).fit(features).anomaly_maps(features)
    assert torch.equal(plain, quick(name).fit(features, np.ones(6)).anomaly_maps(features))


@ALL
@EVERY_SHAPE
def test_same_data_same_maps(name: str, shapes: list) -> None:
    queries = good(4, shapes, seed=1)
    torch.manual_seed(1)
    first = quick(name).fit(good(6, shapes))
    torch.manual_seed(2)
    second = quick(name).fit(good(6, shapes))
    assert torch.equal(first.anomaly_maps(queries), second.anomaly_maps(queries))
    assert torch.equal(first.image_scores(queries), second.image_scores(queries))


@ALL
def test_the_global_random_state_is_left_alone(name: str) -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    quick(name).fit(good(6, SHAPES)).anomaly_maps(good(2, SHAPES))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


@ALL
def test_a_second_fit_forgets_the_first(name: str) -> None:
    queries = good(4, SHAPES, seed=1)
    detector = quick(name).fit([values + 5 for values in good(9, TWO_LAYERS, seed=7)])
    detector.fit(good(6, SHAPES))
    assert torch.equal(detector.anomaly_maps(queries), quick(name).fit(good(6, SHAPES)).anomaly_maps(queries))
    detector.start()
    with pytest.raises(NotFittedError):
        detector.anomaly_maps(queries)


@ALL
@EVERY_SHAPE
def test_fit_does_not_depend_on_the_batches(name: str, shapes: list) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    expected = quick(name).fit(features).anomaly_maps(queries)
    for sizes in [(12,), (1,) * 12, (5, 7), (8, 1, 3)]:
        batches = split(features, *sizes)
        for given in (batches, iter(batches)):
            found = quick(name).fit(given).anomaly_maps(queries)
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4), sizes
    steps = quick(name)
    steps.start()
    for batch in split(features, 5, 7):
        steps.collect(batch)
    assert steps.finish() is steps
    assert torch.allclose(steps.anomaly_maps(queries), expected, rtol=1e-4, atol=1e-4)


@ALL
@EVERY_SHAPE
@pytest.mark.parametrize("part", [(), (3,), (0, 1, 11), (11, 5, 2, 6)])
def test_without_some_images_is_a_fit_on_the_others(name: str, shapes: list, part: tuple[int, ...]) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    detector = collected(thorough(name), features, 5, 4, 3)
    left = detector.without(part)
    expected = thorough(name).fit([values[[i for i in range(12) if i not in part]] for values in features])
    assert left is not detector and type(left) is type(detector) and left.get_params() == detector.get_params()
    assert left.images_taken == 12 - len(part)
    assert torch.allclose(left.finish().anomaly_maps(queries), expected.anomaly_maps(queries), rtol=1e-4, atol=1e-4)
    assert torch.equal(detector.without(np.array(part, int)).finish().anomaly_maps(queries), left.anomaly_maps(queries))


@ALL
@EVERY_SHAPE
def test_who_goes_on_does_not_notice_who_left(name: str, shapes: list) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    first, second = split(features, 8, 4)
    for make in (quick, thorough):
        expected = make(name).fit(features).anomaly_maps(queries)
        detector = collected(make(name), first, 5, 3)
        detector.without((1, 2)).finish()
        detector.collect(second)
        late = detector.without((0,))
        assert torch.allclose(detector.finish().anomaly_maps(queries), expected, rtol=1e-4, atol=1e-4)
        assert late.images_taken == 11
        assert torch.isfinite(late.finish().anomaly_maps(queries)).all()  # though the original let go of it all


@ALL
def test_an_outlier_surprises_those_who_have_not_seen_it(name: str) -> None:
    features = good(20, SHAPES)
    features[0][7] += 2
    detector = collected(quick(name), features, 20)
    seen, unseen, another = (detector.without(part).finish().image_scores(features) for part in ((), (7,), (8,)))
    assert unseen[7] > 2 * seen[7] and unseen[7] > 2 * another[7]
    assert unseen[7] > 2 * unseen[torch.arange(20) != 7].max()


@ALL
def test_nobody_is_left(name: str) -> None:
    detector = collected(quick(name), good(2, SHAPES), 2)
    with pytest.raises(FlawsightError, match="no images"):
        detector.without((0, 1)).finish()


@ALL
@EVERY_SHAPE
def test_reading_changes_nothing(name: str, shapes: list) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    expected = quick(name).fit(features).anomaly_maps(queries)
    detector = quick(name)
    detector.start()
    for first, batch in zip((0, 5, 9), split(features, 5, 4, 3), strict=True):
        detector.read(good(3, shapes, seed=7), first)
        twice = [detector.read(batch, first) for _ in range(2)]
        assert detector.images_taken == first
        detector.take(twice[1])
    assert torch.allclose(detector.finish().anomaly_maps(queries), expected, rtol=1e-4, atol=1e-4)


@ALL
def test_images_are_counted(name: str) -> None:
    detector = quick(name)
    assert detector.images_taken == 0
    for _ in range(2):
        detector.start()
        assert detector.images_taken == 0
        for count, size in ((3, 3), (3, 0), (7, 4)):
            detector.collect(good(size, TWO_LAYERS))
            assert detector.images_taken == count
        assert detector.finish().images_taken == 7


@ALL
def test_what_is_held_while_collecting_is_estimated(name: str) -> None:
    least = thorough(name).collected_bytes(8, 100, 10)
    for more in ((16, 100, 10), (8, 200, 10), (8, 100, 20)):
        assert thorough(name).collected_bytes(*more) > least > 0
        assert quick(name).collected_bytes(*more) >= quick(name).collected_bytes(8, 100, 10) > 0


@ALL
@EVERY_SHAPE
def test_maps_do_not_depend_on_the_batches(name: str, shapes: list) -> None:
    detector = quick(name).fit(good(8, shapes))
    queries = good(7, shapes, seed=1)
    for answer in (detector.anomaly_maps, detector.image_scores):
        together = answer(queries)
        for sizes in [(1,) * 7, (3, 4)]:
            joined = torch.cat([answer(batch) for batch in split(queries, *sizes)])
            assert torch.allclose(joined, together, rtol=1e-4, atol=1e-4)


@ALL
@EVERY_SHAPE
def test_a_planted_defect_is_higher_where_it_is(name: str, shapes: list) -> None:
    detector = quick(name).fit(good(20, shapes))
    queries = good(8, shapes, seed=1)
    normal = detector.image_scores(queries)
    for values in queries:
        _, _, height, width = values.shape
        values[:4, :, : height // 2, : width // 2] += 2
    scores, maps = detector.image_scores(queries), detector.anomaly_maps(queries)
    assert scores[:4].min() > normal.max() and scores[:4].min() > scores[4:].max()
    assert torch.allclose(scores[4:], normal[4:], rtol=1e-4, atol=1e-4)
    height, width = maps.shape[1:]
    hot = maps[:4].flatten(1).argmax(1)
    assert (hot // width <= height // 2).all() and (hot % width <= width // 2).all()
    assert maps[:4, : height // 2, : width // 2].mean() > 2 * maps[:4, height // 2 + 1 :, width // 2 + 1 :].mean()


@ALL
@EVERY_SHAPE
def test_worse_is_higher(name: str, shapes: list) -> None:
    detector = quick(name).fit(good(20, shapes))
    base = good(1, shapes, seed=1)
    scores = [float(detector.image_scores([values + shift for values in base])) for shift in (0, 1, 3, 9)]
    assert scores == sorted(scores) and scores[0] < scores[-1]


@ALL
@EVERY_SHAPE
def test_what_was_learned_goes_through_a_file(name: str, shapes: list, tmp_path: Path) -> None:
    detector = quick(name).fit(good(6, shapes))
    queries = good(4, shapes, seed=1)
    save_file(detector.learned(), tmp_path / "learned.safetensors")
    restored = quick(name)
    assert restored.restore(load_file(tmp_path / "learned.safetensors")) is restored
    assert torch.equal(restored.anomaly_maps(queries), detector.anomaly_maps(queries))
    assert torch.equal(restored.image_scores(queries), detector.image_scores(queries))
    again = restored.learned()
    assert again.keys() == detector.learned().keys()
    assert all(torch.equal(values, again[key]) for key, values in detector.learned().items())


@ALL
def test_features_of_an_inference_pass(name: str, tmp_path: Path) -> None:
    with torch.inference_mode():
        features = [values * 1 for values in good(6, TWO_LAYERS)]
    detector = quick(name).fit(features)
    expected = quick(name).fit(good(6, TWO_LAYERS)).anomaly_maps(good(6, TWO_LAYERS))
    assert torch.equal(detector.anomaly_maps(features), expected)
    save_file(detector.learned(), tmp_path / "learned.safetensors")


@ALL
def test_channels_last_memory_is_the_same(name: str) -> None:
    features, queries = good(6, TWO_LAYERS), good(3, TWO_LAYERS, seed=1)
    expected = quick(name).fit(features).anomaly_maps(queries)
    turned = [[v.contiguous(memory_format=torch.channels_last) for v in group] for group in (features, queries)]
    found = quick(name).fit(turned[0]).anomaly_maps(turned[1])
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


@ALL
@EVERY_SHAPE
def test_features_are_not_modified(name: str, shapes: list) -> None:
    features, queries = good(6, shapes), good(3, shapes, seed=1)
    copies = [values.clone() for values in [*features, *queries]]
    detector = quick(name).fit(features)
    detector.anomaly_maps(queries)
    detector.image_scores(queries)
    assert all(torch.equal(old, new) for old, new in zip(copies, [*features, *queries], strict=True))
    learned = {key: values.clone() for key, values in detector.learned().items()}
    for values in features:
        values.fill_(99)
    assert all(torch.equal(values, learned[key]) for key, values in detector.learned().items())


@ALL
def test_use_before_fit(name: str) -> None:
    detector = quick(name)
    for use in (detector.anomaly_maps, detector.image_scores, lambda _: detector.learned()):
        with pytest.raises(NotFittedError, match="call fit first"):
            use(good(1, SHAPES))


def with_value(value: float) -> list[Tensor]:
    features = good(3, TWO_LAYERS)
    features[1][2, 3, 1, 1] = value
    return features


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "nan": (lambda: with_value(float("nan")), "NaN"),
    "infinity": (lambda: with_value(float("inf")), "infinity"),
    "three dims": (lambda: [values[0] for values in good(3, TWO_LAYERS)], r"\(N, C, H, W\)"),
    "five dims": (lambda: [values[None] for values in good(3, TWO_LAYERS)], r"\(N, C, H, W\)"),
    "one tensor": (lambda: good(3, SHAPES)[0], r"\(N, C, H, W\)"),
    "arrays": (lambda: [[values.numpy() for values in good(3, SHAPES)]], r"\(N, C, H, W\)"),
    "unequal": (lambda: [good(3, SHAPES)[0], good(2, SHAPES)[0]], "number of images"),
}


@ALL
@pytest.mark.parametrize("bad", BAD)
def test_bad_features(name: str, bad: str) -> None:
    make, message = BAD[bad]
    with pytest.raises(FlawsightError, match=message):
        quick(name).fit(make())  # type: ignore[arg-type]
    if bad in {"nan", "infinity", "three dims", "five dims", "unequal"}:
        detector = quick(name).fit(good(3, TWO_LAYERS))
        for answer in (detector.anomaly_maps, detector.image_scores):
            with pytest.raises(FlawsightError, match=message):
                answer(make())  # type: ignore[arg-type]


@ALL
def test_no_images(name: str) -> None:
    for nothing in ([], iter([]), [torch.zeros(0, 6, 8, 8)], [good(0, TWO_LAYERS)]):
        with pytest.raises(FlawsightError, match="no images"):
            quick(name).fit(nothing)
    with pytest.raises(FlawsightError, match="no feature maps"):
        quick(name).fit([[]])


@ALL
def test_an_empty_batch_changes_nothing(name: str) -> None:
    features = good(6, TWO_LAYERS)
    first, second = split(features, 2, 4)
    with_gap = quick(name).fit([first, good(0, TWO_LAYERS), second])
    assert torch.equal(with_gap.anomaly_maps(features), quick(name).fit(features).anomaly_maps(features))


@ALL
def test_one_image_is_enough_to_fit(name: str) -> None:
    assert torch.isfinite(quick(name).fit(good(1, SHAPES)).image_scores(good(3, SHAPES, seed=1))).all()


@ALL
def test_images_without_any_variation(name: str) -> None:
    same = [torch.ones(12, *shape) for shape in TWO_LAYERS]
    detector = quick(name).fit(same)
    scores = [detector.image_scores([values * factor for values in same]) for factor in (1, 2)]
    assert torch.isfinite(scores[0]).all() and scores[1].min() > scores[0].max()


@ALL
def test_features_of_other_layers_than_in_fit(name: str) -> None:
    detector = quick(name).fit(good(4, SHAPES))
    with pytest.raises(FlawsightError):
        detector.anomaly_maps(good(2, TWO_LAYERS))
