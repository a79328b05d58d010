"""Checks of how a detector takes images in: in any batches, with some left out again, and without a trace of others."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.exceptions import NotFittedError

from flawsight.core import FlawsightError
from flawsight.detectors import Detector
from flawsight.testing.data import (
    EVERY,
    ONE_LAYER,
    TWO_LAYERS,
    Shapes,
    fed,
    fresh,
    good,
    on,
    raises,
    same,
    shifted,
    split,
    spread,
)

LEFT_OUT: tuple[tuple[int, ...], ...] = ((), (3,), (0, 1, 11), (11, 5, 2, 6))
MORE = ((16, 100, 10), (8, 200, 10), (8, 100, 20))
"""More channels, places or images than (8, 100, 10)."""


@on("two")
def check_a_second_fit_forgets_the_first(detector: Detector, shapes: Shapes) -> None:
    """A detector that is fitted again, or reset, is as one that never saw the first images."""
    first = ONE_LAYER if shapes == TWO_LAYERS else shapes
    queries = good(4, shapes, seed=1)
    again = fresh(detector)
    again.fit(shifted(good(9, first, seed=7), 5, first))
    again.fit(good(6, shapes))
    expected = fresh(detector).fit(good(6, shapes)).anomaly_maps(queries)
    assert torch.equal(again.anomaly_maps(queries), expected), "a second fit remembers the first"
    again.reset()
    with raises(NotFittedError):
        again.anomaly_maps(queries)


@on(*EVERY)
def check_fit_does_not_depend_on_the_batches(detector: Detector, shapes: Shapes) -> None:
    """However images come in, the same is learned."""
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    expected = fresh(detector).fit(features).anomaly_maps(queries)
    for sizes in [(12,), (1,) * 12, (5, 7), (8, 1, 3)]:
        batches = split(features, *sizes)
        for given in (batches, iter(batches)):
            found = fresh(detector).fit(given).anomaly_maps(queries)
            assert same(found, expected), f"what is learned changes with batches of {sizes}"
    steps = fed(detector, features, 5, 7)
    assert steps.finalize() is steps, "finalize does not return the detector"
    assert same(steps.anomaly_maps(queries), expected), "fit differs from reset, partial_fit and finalize"


@on(*EVERY)
def check_leave_out_is_a_fit_on_the_others(detector: Detector, shapes: Shapes) -> None:
    """Without some of the images it has taken, a copy learns what one learns that never saw them."""
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    whole = fed(detector, features, 5, 4, 3)
    for part in LEFT_OUT:
        left = whole.leave_out(part)
        others = [values[[i for i in range(12) if i not in part]] for values in features]
        expected = fresh(detector).fit(others).anomaly_maps(queries)
        assert left is not whole and type(left) is type(whole) and left.get_params() == whole.get_params()
        assert left.images_taken == 12 - len(part), "images_taken counts images that were left out"
        found = left.finalize().anomaly_maps(queries)
        assert same(found, expected), f"without images {part} it is not as if it had never seen them"
        as_array = whole.leave_out(np.array(part, int)).finalize()
        assert torch.equal(as_array.anomaly_maps(queries), found), "numbers in an array are not as those in a tuple"


@on(*EVERY)
def check_who_goes_on_does_not_notice_who_left(detector: Detector, shapes: Shapes) -> None:
    """Copies that leave images out, and their learning, change nothing for the original."""
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    first, second = split(features, 8, 4)
    expected = fresh(detector).fit(features).anomaly_maps(queries)
    going_on = fed(detector, first, 5, 3)
    going_on.leave_out((1, 2)).finalize()
    going_on.partial_fit(second)
    late = going_on.leave_out((0,))
    assert same(going_on.finalize().anomaly_maps(queries), expected), "leave_out changes the original"
    assert late.images_taken == 11
    # Though the original let go of it all:
    assert torch.isfinite(late.finalize().anomaly_maps(queries)).all(), "a copy loses what the original lets go of"


@on("one")
def check_an_outlier_surprises_those_who_have_not_seen_it(detector: Detector, shapes: Shapes) -> None:
    """An odd image scores higher where it was left out than anything else does, and than where it was not."""
    features = shifted(good(20, shapes), 2, shapes, slice(7, 8))
    whole = fed(detector, features, 20)
    seen, unseen, another = (whole.leave_out(part).finalize().image_scores(features) for part in ((), (7,), (8,)))
    others = unseen[torch.arange(20) != 7]
    for lower in (seen[7], another[7], others.max()):
        assert unseen[7] > lower + spread(others), "an outlier that was left out does not stand out"


@on("one")
def check_nobody_is_left(detector: Detector, shapes: Shapes) -> None:
    """Without any image there is nothing to learn from."""
    with raises(FlawsightError, "no images"):
        fed(detector, good(2, shapes), 2).leave_out((0, 1)).finalize()


@on(*EVERY)
def check_embed_changes_nothing(detector: Detector, shapes: Shapes) -> None:
    """Batches may be read more than once, ahead, and for nothing."""
    features, queries = good(12, shapes), good(4, shapes, seed=1)
    expected = fresh(detector).fit(features).anomaly_maps(queries)
    reading = fresh(detector)
    reading.reset()
    for first, batch in zip((0, 5, 9), split(features, 5, 4, 3), strict=True):
        reading.embed(good(3, shapes, seed=7), first)
        twice = [reading.embed(batch, first) for _ in range(2)]
        assert reading.images_taken == first, "embed counts images"
        reading.update(twice[1])
    assert same(reading.finalize().anomaly_maps(queries), expected), "embed changes what is learned"


@on("two")
def check_images_are_counted(detector: Detector, shapes: Shapes) -> None:
    """`images_taken` counts from 0 after every reset, and stays after `finalize`."""
    counting = fresh(detector)
    assert counting.images_taken == 0
    for _ in range(2):
        counting.reset()
        assert counting.images_taken == 0, "reset does not set images_taken to 0"
        for count, size in ((3, 3), (3, 0), (7, 4)):
            counting.partial_fit(good(size, shapes))
            assert counting.images_taken == count, f"images_taken is {counting.images_taken}, not {count}"
        assert counting.finalize().images_taken == 7, "finalize changes images_taken"


def check_collected_bytes_never_fall(detector: Detector) -> None:
    """What is held while collecting is estimated, and is no less for more."""
    least = detector.collected_bytes(8, 100, 10)
    assert least > 0 and all(detector.collected_bytes(*more) >= least for more in MORE), "less is held of more"


def check_collected_bytes_grow_with_channels_and_images(detector: Detector) -> None:
    """Who keeps all that it reads holds more of more channels or images."""
    least = detector.collected_bytes(8, 100, 10)
    for more in (MORE[0], MORE[2]):  # some keep no more of larger maps
        assert detector.collected_bytes(*more) > least, "no more is held of more"


@on("two")
def check_an_empty_batch_changes_nothing(detector: Detector, shapes: Shapes) -> None:
    """Batches may be empty."""
    features = good(6, shapes)
    first, second = split(features, 2, 4)
    with_gap = fresh(detector).fit([first, good(0, shapes), second]).anomaly_maps(features)
    assert torch.equal(with_gap, fresh(detector).fit(features).anomaly_maps(features)), "an empty batch is noticed"


@on("one")
def check_one_image_is_enough_to_fit(detector: Detector, shapes: Shapes) -> None:
    """Little is learned from one image, but nothing breaks."""
    scores = fresh(detector).fit(good(1, shapes)).image_scores(good(3, shapes, seed=1))
    assert torch.isfinite(scores).all(), "a score is not finite"
