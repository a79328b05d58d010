"""Checks of what a detector finds: maps and scores, higher where it is worse, whatever the batches or chance."""

import numpy as np
import torch

from flawsight.detectors import Detector
from flawsight.testing.data import (
    BOTH,
    EVERY,
    NOT_SQUARE,
    Shapes,
    fresh,
    good,
    network,
    on,
    same,
    shifted,
    split,
    spread,
)


@on(*EVERY)
def check_fit_returns_self_and_shapes(detector: Detector, shapes: Shapes) -> None:
    """Maps are on the grid of a layer, or hold one value; there is one score per image; all is finite."""
    fitted = fresh(detector)
    assert fitted.fit(good(6, shapes)) is fitted, "fit does not return the detector"
    maps, scores = (answer(good(5, shapes, seed=1)) for answer in (fitted.anomaly_maps, fitted.image_scores))
    grids = {shape[1:] for shape in shapes} if fitted.tags.localizes else {(1, 1)}
    assert maps.ndim == 3 and len(maps) == 5 and tuple(maps.shape[1:]) in grids, f"maps have shape {tuple(maps.shape)}"
    assert scores.shape == (5,), f"scores have shape {tuple(scores.shape)}, not (5,)"
    assert torch.isfinite(maps).all() and torch.isfinite(scores).all(), "a map or score is not finite"
    one = fitted.anomaly_maps(good(1, shapes, seed=1))
    assert one.shape == (1, *maps.shape[1:]), f"the map of one image has shape {tuple(one.shape)}"


@on("one")
def check_labels_are_ignored(detector: Detector, shapes: Shapes) -> None:
    """`y` changes nothing."""
    features = good(6, shapes)
    plain, given = fresh(detector).fit(features), fresh(detector).fit(features, np.ones(6))
    assert torch.equal(plain.anomaly_maps(features), given.anomaly_maps(features)), "labels are not ignored"


@on(*EVERY)
def check_same_data_same_maps(detector: Detector, shapes: Shapes) -> None:
    """The global random state has no part in what is learned."""
    queries, fitted = good(4, shapes, seed=1), []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            torch.manual_seed(seed)
            fitted.append(fresh(detector).fit(good(6, shapes)))
    first, second = fitted
    assert torch.equal(first.anomaly_maps(queries), second.anomaly_maps(queries)), "maps differ from fit to fit"
    assert torch.equal(first.image_scores(queries), second.image_scores(queries)), "scores differ from fit to fit"


@on("one")
def check_the_global_random_state_is_left_alone(detector: Detector, shapes: Shapes) -> None:
    """Nobody else notices a fit."""
    torch.rand(()), np.random.random_sample()  # noqa: NPY002 - so that nobody has just seeded them
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    fresh(detector).fit(good(6, shapes)).anomaly_maps(good(2, shapes))
    assert torch.equal(torch.get_rng_state(), before), "torch's random state was changed"
    assert np.array_equal(np.random.get_state()[1], numpy_before), "numpy's random state was changed"  # type: ignore[index]  # noqa: NPY002


@on(*EVERY)
def check_maps_do_not_depend_on_the_batches(detector: Detector, shapes: Shapes) -> None:
    """An image is judged the same whatever it is judged with."""
    fitted = fresh(detector).fit(good(8, shapes))
    queries = good(7, shapes, seed=1)
    for answer in (fitted.anomaly_maps, fitted.image_scores):
        together = answer(queries)
        for sizes in [(1,) * 7, (3, 4)]:
            joined = torch.cat([answer(batch) for batch in split(queries, *sizes)])
            assert same(joined, together), f"{answer.__name__} changes with batches of {sizes}"


@on(*EVERY)
def check_a_planted_defect_is_higher_where_it_is(detector: Detector, shapes: Shapes) -> None:
    """Images with a defect score above good ones, which do not notice, and maps are highest at the defect."""
    fitted = fresh(detector).fit(good(20, shapes))
    queries = good(8, shapes, seed=1)
    normal = fitted.image_scores(queries)
    queries = shifted(queries, 2, shapes, slice(4), part=2)
    scores, maps = fitted.image_scores(queries), fitted.anomaly_maps(queries)
    above = scores[:4].min() > normal.max() and scores[:4].min() > scores[4:].max()
    assert above, "images with a planted defect do not score above good ones (higher must be more anomalous)"
    assert same(scores[4:], normal[4:]), "scores of good images change with a defect in others"
    if fitted.tags.localizes:
        height, width = maps.shape[1:]
        hot = maps[:4].flatten(1).argmax(1)
        here = (hot // width <= height // 2).all() and (hot % width <= width // 2).all()
        assert here, "a map is highest where there is no defect"
        inside, outside = maps[:4, : height // 2, : width // 2], maps[:4, height // 2 + 1 :, width // 2 + 1 :]
        assert inside.mean() > outside.mean() + spread(maps[4:]), "maps are hardly higher at the defect"


@on(*EVERY)
def check_who_does_not_score_images_takes_the_maximum(detector: Detector, shapes: Shapes) -> None:
    """`tags.image_score` says whether scores are other than the maximum of the map."""
    fitted = fresh(detector).fit(good(6, shapes))
    queries = good(5, shapes, seed=1)
    highest = fitted.anomaly_maps(queries).flatten(1).amax(1)
    own = fitted.tags.image_score and fitted.tags.localizes  # a map of one value is the score
    assert torch.equal(fitted.image_scores(queries), highest) is not own, "tags.image_score does not tell the truth"


@on(*EVERY)
def check_both_answers_at_once_are_those_asked_for_alone(detector: Detector, shapes: Shapes) -> None:
    """`maps_and_scores` gives what `anomaly_maps` and `image_scores` give."""
    fitted = fresh(detector).fit(good(6, shapes))
    queries = good(5, shapes, seed=1)
    maps, scores = fitted.maps_and_scores(queries)
    assert torch.equal(maps, fitted.anomaly_maps(queries)), "maps_and_scores has other maps"
    assert torch.equal(scores, fitted.image_scores(queries)), "maps_and_scores has other scores"


@on(*EVERY)
def check_worse_is_higher(detector: Detector, shapes: Shapes) -> None:
    """The further from good, the higher the score."""
    fitted = fresh(detector).fit(good(20, shapes))
    base = good(1, shapes, seed=1)
    scores = [float(fitted.image_scores(shifted(base, shift, shapes))) for shift in (0, 1, 3, 9)]
    assert scores == sorted(scores) and scores[0] < scores[-1], f"worse is not higher: {scores}"


@on("two")
def check_channels_last_memory_is_the_same(detector: Detector, shapes: Shapes) -> None:
    """Networks may hand maps over in either memory format."""
    features, queries = good(6, shapes), good(3, shapes, seed=1)
    expected = fresh(detector).fit(features).anomaly_maps(queries)
    turned = [[v.contiguous(memory_format=torch.channels_last) for v in group] for group in (features, queries)]
    found = fresh(detector).fit(turned[0]).anomaly_maps(turned[1])
    assert same(found, expected), "maps change with the memory format"


@on(*EVERY)
def check_features_are_not_modified(detector: Detector, shapes: Shapes) -> None:
    """What is given stays as it is, and what was learned does not change with it afterwards."""
    features, queries = good(6, shapes), good(3, shapes, seed=1)
    copies = [values.clone() for values in [*features, *queries]]
    fitted = fresh(detector).fit(features)
    fitted.anomaly_maps(queries)
    fitted.image_scores(queries)
    unchanged = all(torch.equal(old, new) for old, new in zip(copies, [*features, *queries], strict=True))
    assert unchanged, "features were modified"
    before = {key: values.clone() for key, values in fitted.state_dict().items()}
    for values in features:
        values.fill_(99)
    kept = all(torch.equal(values, before[key]) for key, values in fitted.state_dict().items())
    assert kept, "what was learned shares memory with what it was learned from"


@on("two")
def check_images_without_any_variation(detector: Detector, shapes: Shapes) -> None:
    """Equal images give finite scores, and others higher ones."""
    level = [0.4 if shape[0] == 3 and shapes != NOT_SQUARE else 1.0 for shape in shapes]
    equal = [torch.full((12, *shape), value) for shape, value in zip(shapes, level, strict=True)]
    if shapes == BOTH:
        equal[1:] = network(equal[0])
    fitted = fresh(detector).fit(equal)
    usual, brighter = (fitted.image_scores([values * factor for values in equal]) for factor in (1, 2))
    assert torch.isfinite(usual).all() and brighter.min() > usual.max(), "images that never varied are not judged"
