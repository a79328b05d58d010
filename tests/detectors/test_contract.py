"""What every detector promises."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors import DETECTORS, AnomalySynthesis, Detector, FeatureMaps, RealNet, make_detector
from flawsight.training import TrainingContext

QUICK: dict[str, dict] = {
    "ast": {
        "couplings": 2,
        "hidden": 8,
        "width": 8,
        "blocks": 1,
        "epochs": 6,
        "batch_size": 32,
        "learning_rate": 5e-3,
        "max_grid": 32,
    },
    "autoencoder": {"side": 32, "width": 4, "latent": 4, "epochs": 10, "learning_rate": 0.01, "patience": None},
    "fastflow": {"flow_steps": 2, "training_steps": 8},
    "knn": {"neighbours": 1},
    "ocsvm": {"nu": 0.05},
    "patchcore": {"bank_size": 60, "max_descriptors": 200},
    "realnet": {
        "channels": (6, 8),
        "afs_pairs": 8,
        "pairs": 64,
        "standardise": True,
        "training_steps": 60,
        "batch_size": 4,
        "learning_rate": 5e-3,
    },
    "simplenet": {
        "neighbourhood": 1,
        "noise": 2.0,
        "hidden": 64,
        "epochs": 20,
        "batch_size": 200,
        "adaptor_learning_rate": 1e-3,
        "learning_rate": 1e-2,
        "max_descriptors": 400,
    },
}
"""Parameters that make a detector quick; one that is not named here is taken with its defaults."""

THOROUGH: dict[str, dict] = {
    "ast": QUICK["ast"],
    "autoencoder": QUICK["autoencoder"],
    "fastflow": QUICK["fastflow"],
    "knn": QUICK["knn"],
    "ocsvm": QUICK["ocsvm"],
    "patchcore": {"bank_size": 60, "max_descriptors": None},
    "realnet": QUICK["realnet"],
    "simplenet": {
        "neighbourhood": 1,
        "noise": 2.0,
        "hidden": 64,
        "epochs": 20,
        "batch_size": 200,
        "adaptor_learning_rate": 1e-3,
        "learning_rate": 1e-2,
        "max_descriptors": None,
    },
}
"""Parameters with which a detector keeps all that it reads until it has learned."""

Shapes = list[tuple[int, int, int]]
ONE_LAYER: Shapes = [(6, 8, 8)]
TWO_LAYERS: Shapes = [(6, 8, 8), (10, 4, 4)]
NOT_SQUARE: Shapes = [(3, 5, 9), (4, 10, 18), (2, 3, 4)]
IMAGES: Shapes = [(3, 32, 32)]
BOTH: Shapes = [(3, 32, 32), (6, 16, 16), (10, 8, 8)]
READ = {
    "features": {"one": ONE_LAYER, "two": TWO_LAYERS, "not_square": NOT_SQUARE},
    "image": {"images": IMAGES},
    "image+features": {"both": BOTH},
}
"""What a detector can be given, by what it reads."""


def with_shapes(*wanted: str) -> pytest.MarkDecorator:
    """Every detector with those of these shapes that it reads."""
    return pytest.mark.parametrize(
        ("name", "shapes"),
        [
            pytest.param(name, shapes, id=f"{name}-{title}")
            for name in DETECTORS
            for title, shapes in READ[make_detector(name).tags.input].items()
            if title in wanted
        ],
    )


ALL = pytest.mark.parametrize("name", DETECTORS)
ONE_SHAPE = with_shapes("one", "images", "both")
TWO_SHAPES = with_shapes("two", "images", "both")
EVERY_SHAPE = with_shapes("one", "two", "not_square", "images", "both")


def quick(name: str) -> Detector:
    return ready(make_detector(name, **QUICK.get(name, {})))


def thorough(name: str) -> Detector:
    return ready(make_detector(name, **THOROUGH.get(name, {})))


def ready(detector: Detector) -> Detector:
    """The detector with what it needs to make defects, if it makes any."""
    if isinstance(detector, RealNet):
        detector.attach(AnomalySynthesis(lambda images: network(as_pictures(images)), [spoilt]))
    return detector


def network(images: Tensor) -> list[Tensor]:
    """A fixed network of two layers: pictures (N, 3, 32, 32) to maps of the other shapes in BOTH."""
    generator = torch.Generator().manual_seed(0)
    maps = []
    for channels, side, _ in BOTH[1:]:
        stride = 32 // side
        weights = torch.randn(channels, 3, stride, stride, generator=generator) / stride
        maps.append(4 * torch.conv2d(images, weights, stride=stride))
    return maps


def as_pictures(images: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255


def spoilt(image: np.ndarray, rng: np.random.Generator, sources: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle that is brighter or darker."""
    top, left = rng.integers(0, 20, 2)
    height, width = rng.integers(6, 20, 2)
    mask = np.zeros(image.shape[:2], bool)
    mask[top : top + height, left : left + width] = True
    shift = rng.choice([-1, 1]) * rng.uniform(20, 120)
    return np.where(mask[..., None], np.clip(image + shift, 0, 255), image).astype(np.uint8), mask


def collected(detector: Detector, features: FeatureMaps, *sizes: int) -> Detector:
    """The detector when it has taken these images, and before it learns."""
    detector.reset()
    for batch in split(features, *sizes):
        detector.partial_fit(batch)
    return detector


def good(count: int, shapes: Shapes, seed: int = 0) -> list[Tensor]:
    """What is read of good images: each channel has its own level and a little noise."""
    rng = np.random.default_rng(seed)
    if shapes == IMAGES:
        return [pictures(count, rng)]
    if shapes == BOTH:
        images = pictures(count, rng)
        return [images, *network(images)]
    level = [np.random.default_rng([9, c]).normal(size=(1, c, 1, 1)) for c, _, _ in shapes]
    return [
        torch.tensor(mean + 0.1 * rng.normal(size=(count, *shape)), dtype=torch.float32)
        for mean, shape in zip(level, shapes, strict=True)
    ]


def pictures(count: int, rng: np.random.Generator) -> Tensor:
    """One soft pattern, in another contrast each time, with a little noise; values from 0 to 1."""
    channels, height, width = np.meshgrid(*(np.arange(extent) for extent in IMAGES[0]), indexing="ij")
    pattern = 0.1 * np.sin(0.4 * width + channels) * np.cos(0.3 * height - channels)
    contrast = rng.uniform(0.5, 1.5, (count, 1, 1, 1))
    return torch.tensor(0.4 + contrast * pattern + rng.normal(0, 0.005, (count, *IMAGES[0])), dtype=torch.float32)


def shifted(
    features: FeatureMaps, shift: float, shapes: Shapes, rows: slice = slice(None), part: int = 1
) -> list[Tensor]:
    """Features whose values are so far from good ones, in these rows, in the upper left 1/part of both sides.

    Those of pictures stay between 0 and 1.
    """
    changed = [values.clone() for values in features]
    for values in changed[:1] if shapes == BOTH else changed:
        corner = values[rows, :, : values.shape[2] // part, : values.shape[3] // part]
        corner[:] = (corner + 0.1 * shift).clamp(0, 1) if shapes in (IMAGES, BOTH) else corner + shift
    return [changed[0], *network(changed[0])] if shapes == BOTH else changed


def spread(values: Tensor) -> float:
    """From the lowest to the highest: what raw scores, of any scale and sign, are compared by."""
    return float(values.max() - values.min())


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


@ONE_SHAPE
def test_fitting_does_not_touch_the_parameters(name: str, shapes: Shapes) -> None:
    detector = quick(name)
    before = detector.get_params()
    detector.fit(good(6, shapes))
    assert detector.get_params() == before
    learned = {attribute for attribute in vars(detector) if attribute.endswith("_")}
    assert learned and not learned & before.keys()
    with pytest.raises(NotFittedError):
        clone(detector).anomaly_maps(good(1, shapes))


@EVERY_SHAPE
def test_fit_returns_self_and_shapes(name: str, shapes: Shapes) -> None:
    detector = quick(name)
    assert detector.fit(good(6, shapes)) is detector
    maps = detector.anomaly_maps(good(5, shapes, seed=1))
    assert maps.ndim == 3 and len(maps) == 5
    assert tuple(maps.shape[1:]) in ({shape[1:] for shape in shapes} if detector.tags.localizes else {(1, 1)})
    scores = detector.image_scores(good(5, shapes, seed=1))
    assert scores.shape == (5,)
    assert torch.isfinite(maps).all() and torch.isfinite(scores).all()
    assert detector.anomaly_maps(good(1, shapes, seed=1)).shape == (1, *maps.shape[1:])


@ONE_SHAPE
def test_labels_are_ignored(name: str, shapes: Shapes) -> None:
    features = good(6, shapes)
    plain = quick(name).fit(features).anomaly_maps(features)
    assert torch.equal(plain, quick(name).fit(features, np.ones(6)).anomaly_maps(features))


@EVERY_SHAPE
def test_same_data_same_maps(name: str, shapes: Shapes) -> None:
    queries = good(4, shapes, seed=1)
    torch.manual_seed(1)
    first = quick(name).fit(good(6, shapes))
    torch.manual_seed(2)
    second = quick(name).fit(good(6, shapes))
    assert torch.equal(first.anomaly_maps(queries), second.anomaly_maps(queries))
    assert torch.equal(first.image_scores(queries), second.image_scores(queries))


@ONE_SHAPE
def test_the_global_random_state_is_left_alone(name: str, shapes: Shapes) -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    quick(name).fit(good(6, shapes)).anomaly_maps(good(2, shapes))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


@TWO_SHAPES
def test_a_second_fit_forgets_the_first(name: str, shapes: Shapes) -> None:
    first = ONE_LAYER if shapes == TWO_LAYERS else shapes
    queries = good(4, shapes, seed=1)
    detector = quick(name)
    detector.fit(shifted(good(9, first, seed=7), 5, first))
    detector.fit(good(6, shapes))
    assert torch.equal(detector.anomaly_maps(queries), quick(name).fit(good(6, shapes)).anomaly_maps(queries))
    detector.reset()
    with pytest.raises(NotFittedError):
        detector.anomaly_maps(queries)


@EVERY_SHAPE
def test_fit_does_not_depend_on_the_batches(name: str, shapes: Shapes) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    expected = quick(name).fit(features).anomaly_maps(queries)
    for sizes in [(12,), (1,) * 12, (5, 7), (8, 1, 3)]:
        batches = split(features, *sizes)
        for given in (batches, iter(batches)):
            found = quick(name).fit(given).anomaly_maps(queries)
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4), sizes
    steps = quick(name)
    steps.reset()
    for batch in split(features, 5, 7):
        steps.partial_fit(batch)
    assert steps.finalize() is steps
    assert torch.allclose(steps.anomaly_maps(queries), expected, rtol=1e-4, atol=1e-4)


@EVERY_SHAPE
@pytest.mark.parametrize("part", [(), (3,), (0, 1, 11), (11, 5, 2, 6)])
def test_without_some_images_is_a_fit_on_the_others(name: str, shapes: Shapes, part: tuple[int, ...]) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    detector = collected(thorough(name), features, 5, 4, 3)
    left = detector.leave_out(part)
    expected = thorough(name).fit([values[[i for i in range(12) if i not in part]] for values in features])
    assert left is not detector and type(left) is type(detector) and left.get_params() == detector.get_params()
    assert left.images_taken == 12 - len(part)
    assert torch.allclose(left.finalize().anomaly_maps(queries), expected.anomaly_maps(queries), rtol=1e-4, atol=1e-4)
    assert torch.equal(
        detector.leave_out(np.array(part, int)).finalize().anomaly_maps(queries), left.anomaly_maps(queries)
    )


@EVERY_SHAPE
def test_who_goes_on_does_not_notice_who_left(name: str, shapes: Shapes) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    first, second = split(features, 8, 4)
    for make in (quick, thorough):
        expected = make(name).fit(features).anomaly_maps(queries)
        detector = collected(make(name), first, 5, 3)
        detector.leave_out((1, 2)).finalize()
        detector.partial_fit(second)
        late = detector.leave_out((0,))
        assert torch.allclose(detector.finalize().anomaly_maps(queries), expected, rtol=1e-4, atol=1e-4)
        assert late.images_taken == 11
        assert torch.isfinite(late.finalize().anomaly_maps(queries)).all()  # though the original let go of it all


@ONE_SHAPE
def test_an_outlier_surprises_those_who_have_not_seen_it(name: str, shapes: Shapes) -> None:
    features = shifted(good(20, shapes), 2, shapes, slice(7, 8))
    detector = collected(quick(name), features, 20)
    seen, unseen, another = (detector.leave_out(part).finalize().image_scores(features) for part in ((), (7,), (8,)))
    others = unseen[torch.arange(20) != 7]
    for lower in (seen[7], another[7], others.max()):
        assert unseen[7] > lower + spread(others)


@ONE_SHAPE
def test_nobody_is_left(name: str, shapes: Shapes) -> None:
    detector = collected(quick(name), good(2, shapes), 2)
    with pytest.raises(FlawsightError, match="no images"):
        detector.leave_out((0, 1)).finalize()


@EVERY_SHAPE
def test_reading_changes_nothing(name: str, shapes: Shapes) -> None:
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    expected = quick(name).fit(features).anomaly_maps(queries)
    detector = quick(name)
    detector.reset()
    for first, batch in zip((0, 5, 9), split(features, 5, 4, 3), strict=True):
        detector.embed(good(3, shapes, seed=7), first)
        twice = [detector.embed(batch, first) for _ in range(2)]
        assert detector.images_taken == first
        detector.update(twice[1])
    assert torch.allclose(detector.finalize().anomaly_maps(queries), expected, rtol=1e-4, atol=1e-4)


@TWO_SHAPES
def test_images_are_counted(name: str, shapes: Shapes) -> None:
    detector = quick(name)
    assert detector.images_taken == 0
    for _ in range(2):
        detector.reset()
        assert detector.images_taken == 0
        for count, size in ((3, 3), (3, 0), (7, 4)):
            detector.partial_fit(good(size, shapes))
            assert detector.images_taken == count
        assert detector.finalize().images_taken == 7


@ALL
def test_what_is_held_while_collecting_is_estimated(name: str) -> None:
    least = thorough(name).collected_bytes(8, 100, 10)
    for more in ((16, 100, 10), (8, 100, 20)):
        assert thorough(name).collected_bytes(*more) > least > 0
    for more in ((16, 100, 10), (8, 200, 10), (8, 100, 20)):  # some keep no more of larger maps
        assert thorough(name).collected_bytes(*more) >= least
        assert quick(name).collected_bytes(*more) >= quick(name).collected_bytes(8, 100, 10) > 0


@EVERY_SHAPE
def test_maps_do_not_depend_on_the_batches(name: str, shapes: Shapes) -> None:
    detector = quick(name).fit(good(8, shapes))
    queries = good(7, shapes, seed=1)
    for answer in (detector.anomaly_maps, detector.image_scores):
        together = answer(queries)
        for sizes in [(1,) * 7, (3, 4)]:
            joined = torch.cat([answer(batch) for batch in split(queries, *sizes)])
            assert torch.allclose(joined, together, rtol=1e-4, atol=1e-4)


@EVERY_SHAPE
def test_a_planted_defect_is_higher_where_it_is(name: str, shapes: Shapes) -> None:
    detector = quick(name).fit(good(20, shapes))
    queries = good(8, shapes, seed=1)
    normal = detector.image_scores(queries)
    queries = shifted(queries, 2, shapes, slice(4), part=2)
    scores, maps = detector.image_scores(queries), detector.anomaly_maps(queries)
    assert scores[:4].min() > normal.max() and scores[:4].min() > scores[4:].max()
    assert torch.allclose(scores[4:], normal[4:], rtol=1e-4, atol=1e-4)
    if detector.tags.localizes:
        height, width = maps.shape[1:]
        hot = maps[:4].flatten(1).argmax(1)
        assert (hot // width <= height // 2).all() and (hot % width <= width // 2).all()
        inside, outside = maps[:4, : height // 2, : width // 2], maps[:4, height // 2 + 1 :, width // 2 + 1 :]
        assert inside.mean() > outside.mean() + spread(maps[4:])


@EVERY_SHAPE
def test_who_does_not_score_images_takes_the_maximum(name: str, shapes: Shapes) -> None:
    detector = quick(name).fit(good(6, shapes))
    queries = good(5, shapes, seed=1)
    highest = detector.anomaly_maps(queries).flatten(1).amax(1)
    own = detector.tags.image_score and detector.tags.localizes  # a map of one value is the score
    assert torch.equal(detector.image_scores(queries), highest) is not own


@EVERY_SHAPE
def test_both_answers_at_once_are_those_asked_for_alone(name: str, shapes: Shapes) -> None:
    detector = quick(name).fit(good(6, shapes))
    queries = good(5, shapes, seed=1)
    maps, scores = detector.maps_and_scores(queries)
    assert torch.equal(maps, detector.anomaly_maps(queries)) and torch.equal(scores, detector.image_scores(queries))


@EVERY_SHAPE
def test_worse_is_higher(name: str, shapes: Shapes) -> None:
    detector = quick(name).fit(good(20, shapes))
    base = good(1, shapes, seed=1)
    worse = [shifted(base, shift, shapes) for shift in (0, 1, 3, 9)]
    scores = [float(detector.image_scores(values)) for values in worse]
    assert scores == sorted(scores) and scores[0] < scores[-1]


@EVERY_SHAPE
def test_what_was_learned_goes_through_a_file(name: str, shapes: Shapes, tmp_path: Path) -> None:
    detector = quick(name).fit(good(6, shapes))
    queries = good(4, shapes, seed=1)
    save_file(detector.state_dict(), tmp_path / "learned.safetensors")
    restored = quick(name)
    assert restored.load_state_dict(load_file(tmp_path / "learned.safetensors")) is restored
    assert torch.equal(restored.anomaly_maps(queries), detector.anomaly_maps(queries))
    assert torch.equal(restored.image_scores(queries), detector.image_scores(queries))
    again = restored.state_dict()
    assert again.keys() == detector.state_dict().keys()
    assert all(torch.equal(values, again[key]) for key, values in detector.state_dict().items())


@TWO_SHAPES
def test_features_of_an_inference_pass(name: str, shapes: Shapes, tmp_path: Path) -> None:
    with torch.inference_mode():
        features = [values * 1 for values in good(6, shapes)]
    detector = quick(name).fit(features)
    expected = quick(name).fit(good(6, shapes)).anomaly_maps(good(6, shapes))
    assert torch.equal(detector.anomaly_maps(features), expected)
    save_file(detector.state_dict(), tmp_path / "learned.safetensors")


@TWO_SHAPES
def test_channels_last_memory_is_the_same(name: str, shapes: Shapes) -> None:
    features, queries = good(6, shapes), good(3, shapes, seed=1)
    expected = quick(name).fit(features).anomaly_maps(queries)
    turned = [[v.contiguous(memory_format=torch.channels_last) for v in group] for group in (features, queries)]
    found = quick(name).fit(turned[0]).anomaly_maps(turned[1])
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


@EVERY_SHAPE
def test_features_are_not_modified(name: str, shapes: Shapes) -> None:
    features, queries = good(6, shapes), good(3, shapes, seed=1)
    copies = [values.clone() for values in [*features, *queries]]
    detector = quick(name).fit(features)
    detector.anomaly_maps(queries)
    detector.image_scores(queries)
    assert all(torch.equal(old, new) for old, new in zip(copies, [*features, *queries], strict=True))
    learned = {key: values.clone() for key, values in detector.state_dict().items()}
    for values in features:
        values.fill_(99)
    assert all(torch.equal(values, learned[key]) for key, values in detector.state_dict().items())


@ONE_SHAPE
def test_use_before_fit(name: str, shapes: Shapes) -> None:
    detector = quick(name)
    for use in (detector.anomaly_maps, detector.image_scores, lambda _: detector.state_dict()):
        with pytest.raises(NotFittedError, match="call fit first"):
            use(good(1, shapes))


def with_value(value: float, shapes: Shapes) -> list[Tensor]:
    features = good(3, shapes)
    features[-1][2, -1, 1, 1] = value
    return features


BAD: dict[str, tuple[Callable[[Shapes], object], str]] = {
    "nan": (lambda shapes: with_value(float("nan"), shapes), "NaN"),
    "infinity": (lambda shapes: with_value(float("inf"), shapes), "infinity"),
    "three dims": (lambda shapes: [values[0] for values in good(3, shapes)], r"\(N, C, H, W\)"),
    "five dims": (lambda shapes: [values[None] for values in good(3, shapes)], r"\(N, C, H, W\)"),
    "one tensor": (lambda shapes: good(3, shapes)[0], r"\(N, C, H, W\)"),
    "arrays": (lambda shapes: [[values.numpy() for values in good(3, shapes)]], r"\(N, C, H, W\)"),
    "unequal": (lambda shapes: [good(3, shapes)[0], good(2, shapes)[0]], "number of images"),
}


@TWO_SHAPES
@pytest.mark.parametrize("bad", BAD)
def test_bad_features(name: str, shapes: Shapes, bad: str) -> None:
    make, message = BAD[bad]
    with pytest.raises(FlawsightError, match=message):
        quick(name).fit(make(shapes))  # type: ignore[arg-type]
    if bad in {"nan", "infinity", "three dims", "five dims", "unequal"}:
        detector = quick(name).fit(good(3, shapes))
        for answer in (detector.anomaly_maps, detector.image_scores):
            with pytest.raises(FlawsightError, match=message):
                answer(make(shapes))  # type: ignore[arg-type]


@TWO_SHAPES
def test_no_images(name: str, shapes: Shapes) -> None:
    for nothing in ([], iter([]), [torch.zeros(0, *shapes[0])], [good(0, shapes)]):
        with pytest.raises(FlawsightError, match="no images"):
            quick(name).fit(nothing)
    with pytest.raises(FlawsightError, match="no feature maps"):
        quick(name).fit([[]])


@TWO_SHAPES
def test_an_empty_batch_changes_nothing(name: str, shapes: Shapes) -> None:
    features = good(6, shapes)
    first, second = split(features, 2, 4)
    with_gap = quick(name).fit([first, good(0, shapes), second])
    assert torch.equal(with_gap.anomaly_maps(features), quick(name).fit(features).anomaly_maps(features))


@ONE_SHAPE
def test_one_image_is_enough_to_fit(name: str, shapes: Shapes) -> None:
    assert torch.isfinite(quick(name).fit(good(1, shapes)).image_scores(good(3, shapes, seed=1))).all()


@TWO_SHAPES
def test_images_without_any_variation(name: str, shapes: Shapes) -> None:
    same = [torch.full((12, *shape), 0.4 if shape[0] == 3 and shapes != NOT_SQUARE else 1.0) for shape in shapes]
    if shapes == BOTH:
        same[1:] = network(same[0])
    detector = quick(name).fit(same)
    scores = [detector.image_scores([values * factor for values in same]) for factor in (1, 2)]
    assert torch.isfinite(scores[0]).all() and scores[1].min() > scores[0].max()


@ONE_SHAPE
def test_features_of_other_layers_than_in_fit(name: str, shapes: Shapes) -> None:
    detector = quick(name).fit(good(4, shapes))
    with pytest.raises(FlawsightError):
        detector.anomaly_maps(good(2, TWO_LAYERS))


@ALL
def test_a_coarse_detector_differs_in_cost_only(name: str) -> None:
    for detector in (make_detector(name), quick(name)):
        coarse, before = detector.low_fidelity(), detector.get_params()
        assert type(coarse) is type(detector) and coarse is not detector
        assert not [attribute for attribute in vars(coarse) if attribute.endswith("_")]
        assert clone(coarse).get_params() == coarse.get_params()
        for parameter, value in coarse.get_params().items():
            old = before[parameter]
            if parameter in ("learning_rate", "batch_size"):
                continue  # a shorter training may take other steps
            if value not in (old, "none"):  # a part may be left out
                assert type(value) is int and (old is None or value < old), parameter


@EVERY_SHAPE
def test_a_coarse_detector_detects(name: str, shapes: Shapes) -> None:
    coarse = quick(name).low_fidelity().fit(good(6, shapes))
    assert torch.isfinite(coarse.image_scores(good(3, shapes, seed=1))).all()


@ALL
def test_calibration_has_at_least_two_folds(name: str) -> None:
    assert make_detector(name).tags.cv_folds >= 2


@ONE_SHAPE
def test_a_finished_training_is_not_repeated_otherwise(name: str, shapes: Shapes, tmp_path: Path) -> None:
    features, queries = good(6, shapes), good(4, shapes, seed=1)
    expected = quick(name).fit(features).anomaly_maps(queries)
    for _ in range(2):
        told: list[float] = []
        detector = collected(quick(name), features, 6).finalize(TrainingContext(tmp_path / "training", told.append))
        assert torch.equal(detector.anomaly_maps(queries), expected)
        assert all(share >= 0 for share in told) and sum(told) <= 1 + 1e-6
