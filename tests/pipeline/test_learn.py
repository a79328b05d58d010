"""Learning: every image is judged by detectors that have not seen it, nor a copy of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.data import augmented, folds
from flawsight.detectors import DetectorTags, FeatureMaps, PatchCore
from flawsight.features import Extractor
from flawsight.inference import MemberSpec
from flawsight.pipeline.calibrate import EXAMPLES, calibrate
from flawsight.pipeline.learn import CrossFit, cross_fit
from flawsight.scoring import MapCalibrator, RawPrediction, fuse_members
from flawsight.views import ImageCache, Inputs, View


def squashed(paths: list[Path], side: int) -> Inputs:
    frame = View("squash", side).frame((side, side))
    return Inputs(ImageCache(paths, side), [frame] * len(paths))


def test_calibration_scores_are_truly_held_out(network: Extractor, good_dir: Path) -> None:
    images = squashed(sorted(good_dir.iterdir())[:11], 64)
    # A bank of everything: greedy k-center may choose otherwise where batches round differently.
    prototype = InThree(bank_size=100_000, max_descriptors=None)
    sets = {("blocks.1.0.bn3",): 0.25, ("blocks.3.0.conv_pw", "blocks.3.0.bn3"): 0.75}
    specs = [MemberSpec(names, prototype, weight) for names, weight in sets.items()]
    fitted = cross_fit(network, images, specs, folds(11, 3, 5))
    found = calibrate(fitted.held_out, images, [spec.weight for spec in fitted.members], 0.1)
    assert fitted.folds == 3 and len(fitted.held_out) == 11
    pictures = images[:]
    maps: dict[tuple[str, ...], list] = {names: [None] * len(pictures) for names in sets}
    with torch.inference_mode():
        for part in folds(len(pictures), 3, 5):
            rest = [image for place, image in enumerate(pictures) if place not in set(part)]
            for names in sets:
                seen = network.extract(rest, names)
                detector = clone(prototype).fit([seen[name] for name in names])
                for place in part:
                    one = network.extract([pictures[place]], names)
                    maps[names][place] = detector.anomaly_maps([one[name] for name in names])[0].numpy()
    for spec, scales, names in zip(fitted.members, found.members, sets, strict=True):
        assert np.allclose(scales.maps.knots, MapCalibrator.of(maps[names]).knots, rtol=1e-3)
        assert spec.layers == names and spec.weight == scales.weight == sets[names]
    judged = [
        fuse_members([RawPrediction(maps[names][place], None) for names in sets], found.members, 64)
        for place in range(len(pictures))
    ]
    squares = [square for square, _ in judged]
    assert [score for _, score in judged] == [square.max() for square in squares]
    # With so few pixels neighbouring knots can be equal, and rounding then moves a value by a knot or two.
    assert np.allclose(found.scores, [square.max() for square in squares], atol=0.2)
    fused = [fuse_members(one, found.members, 64)[0] for one in fitted.held_out]
    assert [one.max() for one in fused] == found.scores.tolist()
    assert found.colour_scale.threshold == found.operating_point.threshold
    assert found.colour_scale.low == pytest.approx(np.mean(squares), rel=1e-2)
    assert len(found.held_out_maps) == EXAMPLES
    assert [one.max() for one in found.held_out_maps] == found.scores[:EXAMPLES].tolist()
    for one, square in zip(found.held_out_maps, squares, strict=False):
        assert one.shape == (64, 64) and np.allclose(one, square, atol=0.2)
    # The final detectors have seen every image, so those images surprise them less.
    with torch.inference_mode():
        final = [
            m.detector.anomaly_maps([network.extract(pictures, m.layers)[n] for n in m.layers]) for m in fitted.members
        ]
    seen = [
        fuse_members([RawPrediction(f[i].numpy(), None) for f in final], found.members, 64)
        for i in range(len(pictures))
    ]
    assert np.mean([score for _, score in seen]) < np.mean(found.scores)


class InThree(PatchCore):
    @property
    def tags(self) -> DetectorTags:
        return DetectorTags(cv_folds=3)


def scores(found: CrossFit, inputs: Inputs) -> np.ndarray:
    return calibrate(found.held_out, inputs, [member.weight for member in found.members], 0.1).scores


def test_changed_copies_are_learned_from_and_leave_with_their_fold(network: Extractor, good_dir: Path) -> None:
    images = squashed(sorted(good_dir.iterdir())[:10], 64)
    layers = ("blocks.3.0.bn3",)
    specs = [MemberSpec(layers, PatchCore(bank_size=100_000, max_descriptors=None))]
    held_out = folds(10, 5, 5)
    plain = cross_fit(network, images, specs, held_out)
    same = cross_fit(network, images, specs, held_out, copies=images[:] * 2)
    # A copy equal to its image adds nothing: and would give it away if it stayed while its image is held out.
    assert np.allclose(scores(same, images), scores(plain, images), atol=0.05)
    changed = cross_fit(network, images, specs, held_out, copies=augmented(images, 2, seed=1))
    assert len(changed.members[0].detector.bank_) > len(plain.members[0].detector.bank_)
    assert not np.allclose(scores(changed, images), scores(plain, images), atol=0.05)


class EachOnItsScale(PatchCore):
    """Every training ends on a scale of its own, as those of networks do."""

    varies, is_aligned = True, True

    @property
    def tags(self) -> DetectorTags:
        return DetectorTags(cv_folds=2, scale_varies=self.is_aligned)

    def anomaly_maps(self, features: FeatureMaps) -> torch.Tensor:
        own = float(self.bank_.sum()) % 1
        return super().anomaly_maps(features) * (10 ** (2 * own) if self.varies else 1) + 50 * own * self.varies


class AllOnOne(EachOnItsScale):
    varies = False


class NotAligned(EachOnItsScale):
    is_aligned = False


def test_trainings_of_different_scales_are_put_on_the_final_ones(network: Extractor, good_dir: Path) -> None:
    images = squashed(sorted(good_dir.iterdir())[:12], 64)
    found = {}
    for kind in (AllOnOne, EachOnItsScale, NotAligned):
        members = [MemberSpec(("blocks.3.0.bn3",), kind(bank_size=30)), MemberSpec(("blocks.1.0.bn3",), PatchCore())]
        fitted = cross_fit(network, images, [one._replace(weight=0.5) for one in members], folds(12, 2, 5))
        assert [one.alignment is not None for one in fitted.by_fold[0]] == [kind.is_aligned, False]
        found[kind] = scores(fitted, images)
    assert np.allclose(found[EachOnItsScale], found[AllOnOne], atol=0.02)
    assert not np.allclose(found[NotAligned], found[AllOnOne], atol=0.5)


def test_augmentation_is_recorded_and_checked(good_dir: Path, fixed_options: dict) -> None:
    options = fixed_options | {"fixed_layers": [["blocks.3.0.bn3"]]}
    data = fs.fit(good_dir, **options, augment=2, label_preserving=["noise", "blur"]).manifest.data
    assert (data.augment, data.label_preserving) == (2, ["blur", "noise"])
    assert (data.defects, data.sources_digest) == ([], "")
    for wrong in ({"augment": -1}, {"augment": 1, "label_preserving": ["nonsense"]}):
        with pytest.raises(FlawsightError, match="augment"):
            fs.fit(good_dir, **options, **wrong)
