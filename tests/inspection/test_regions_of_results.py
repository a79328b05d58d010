"""Regions of results: one exactly where an image is defective, in the picture's own pixels, on any scale of scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from flawsight.inspection import Inspector
from flawsight.regions import find_regions
from flawsight.scoring import ColourScale
from flawsight.views import View


class Says:
    """A backend that finds in each square what it is told, and gives scores of its own."""

    name = "says"

    def __init__(self, maps: Sequence[np.ndarray], scores: Sequence[float] | None = None) -> None:
        self.maps, self.own, self.at = list(maps), scores, 0

    def predict(self, squares: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        found = np.stack(self.maps[self.at : self.at + len(squares)]).astype(np.float32)
        own = self.own[self.at : self.at + len(squares)] if self.own else found.max((1, 2))
        self.at += len(squares)
        return found, np.asarray(own, np.float32)


def judged_by(fitted: Inspector, backend: Says, threshold: float = 1.0, **changes: object) -> Inspector:
    """The fitted inspector with other maps and another threshold."""
    point = replace(fitted.manifest.operating_point, threshold=threshold)
    data = fitted.manifest.data.model_copy(update={"pixels": None})
    scale = ColourScale(threshold - 1, threshold)
    update = {"operating_point": point, "colour_scale": scale, "data": data, **changes}
    return Inspector(backend, fitted.manifest.model_copy(update=update))


def noise(seed: int, count: int = 1, side: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([ndimage.gaussian_filter(rng.normal(size=(side, side)), 4) * 12 for _ in range(count)])


@settings(max_examples=30)
@given(st.integers(0, 999), st.floats(-1, 4))
def test_an_image_has_a_region_exactly_where_its_score_is_above(fitted: Inspector, seed: int, threshold: float) -> None:
    (values,) = noise(seed)
    result = judged_by(fitted, Says([values]), threshold).inspect(np.zeros((80, 96, 3), np.uint8))
    above = values.astype(np.float32).astype(float) > threshold
    _, count = ndimage.label(above, np.ones((3, 3)))
    assert result.score == np.float32(values.max())
    assert len(result.regions) == count and result.is_defective == (count > 0) == (result.score > threshold)
    if count:
        assert result.regions[0].peak == result.score
        assert sum(region.area_px for region in result.regions) == pytest.approx(above.sum() * 80 * 96 / 64**2)


def test_places_are_in_the_pictures_own_pixels(fitted: Inspector) -> None:
    values = np.zeros((64, 64))
    values[16:24, 32:40] = 5
    found = judged_by(fitted, Says([values]), mm_per_pixel=0.5).inspect(np.zeros((128, 320, 3), np.uint8))
    (region,) = found.regions
    assert region.box == (160, 32, 40, 16) and region.area_px == 640 and region.area_mm2 == 160
    assert region.centroid == (180, 40) and found.anomaly_map.shape == (128, 320)


def test_tiles_join_to_one_region_across_their_borders(fitted: Inspector) -> None:
    view = View("tiles", 64)
    frame = view.frame((64, 200))
    whole = np.zeros(frame.working, np.float32)
    whole[20:30, 10:190] = 3
    maps = [whole[y : y + 64, x : x + 64] for y, x in frame.origins]
    result = judged_by(fitted, Says(maps), view=view).inspect(np.zeros((64, 200, 3), np.uint8))
    assert frame.tiles == 4 and len(result.regions) == 1
    assert result.regions[0].box == (10, 20, 180, 10) and result.regions[0].peak == result.score == 3


def test_a_picture_that_is_filled_up_has_no_region_there(fitted: Inspector) -> None:
    values = np.zeros((64, 64))
    values[40:, :] = 9  # below a picture twice as wide as high there is nothing
    result = judged_by(fitted, Says([values]), view=View("whole", 64)).inspect(np.zeros((100, 200, 3), np.uint8))
    assert (result.score, result.is_defective, result.regions) == (0, False, ())
    values[30, 10] = 2
    result = judged_by(fitted, Says([values]), view=View("whole", 64)).inspect(np.zeros((100, 200, 3), np.uint8))
    (region,) = result.regions
    assert result.score == 2 and region.peak_at == (32, 95)


class TestScoresOfTheirOwn:
    """A score in another unit than the map."""

    def judged(self, fitted: Inspector, score: float, peak: float) -> Inspector:
        values = np.zeros((64, 64))
        values[10, 20] = peak
        inspector = judged_by(fitted, Says([values], [score]), 100, has_own_scores=True, colour_scale=ColourScale(0, 1))
        assert (inspector.threshold, inspector.pixel_threshold) == (100, 1)
        return inspector

    @pytest.mark.parametrize(("score", "peak", "is_defective"), [(150, 3, True), (150, 0.5, True), (50, 3, False)])
    def test_the_score_decides_and_the_map_says_where(
        self, fitted: Inspector, score: float, peak: float, is_defective: bool
    ) -> None:
        result = self.judged(fitted, score, peak).inspect(np.zeros((64, 64, 3), np.uint8))
        assert (result.score, result.is_defective) == (score, is_defective)
        assert [region.peak_at for region in result.regions] == [(20, 10)] * is_defective

    def test_the_worst_of_several_tiles(self, fitted: Inspector) -> None:
        backend = Says(noise(0, 4), [5, 120, 7, 3])
        result = judged_by(fitted, backend, 100, has_own_scores=True, view=View("tiles", 64)).inspect(
            np.zeros((64, 200, 3), np.uint8)
        )
        assert result.score == 120 and result.is_defective and result.regions


def test_a_method_that_does_not_localise_has_no_regions(fitted: Inspector) -> None:
    members = [
        member.model_copy(update={"detector": member.detector.model_copy(update={"localizes": False})})
        for member in fitted.manifest.members
    ]
    result = judged_by(fitted, Says([np.full((64, 64), 5.0)]), members=members).inspect(np.zeros((64, 64, 3), np.uint8))
    assert result.is_defective and result.regions == ()


def test_tiles_of_many_pictures_are_not_mixed_up(fitted: Inspector) -> None:
    """More squares than are held at once, of pictures of several sizes."""
    view, sizes = View("tiles", 64), [(64, 200), (130, 130), (64, 64), (200, 180), (70, 64)]
    frames = [view.frame(size) for size in sizes]
    maps = noise(3, sum(frame.tiles for frame in frames))
    assert len(maps) > 20
    results = judged_by(fitted, Says(maps), 2, view=view).inspect_many(
        [np.zeros((*size, 3), np.uint8) for size in sizes]
    )
    at = 0
    for frame, size, result in zip(frames, sizes, results, strict=True):
        joined = frame.join(maps[at : at + frame.tiles].astype(np.float32))
        at += frame.tiles
        assert np.allclose(result.anomaly_map, joined, atol=1e-5) and result.score == pytest.approx(joined.max())
        assert result.regions == find_regions(result.anomaly_map, 2, size)


def test_mm_per_pixel_may_be_said_when_inspecting(fitted: Inspector, spoiled: Callable) -> None:
    other = fitted.with_mm_per_pixel(0.25)
    assert fitted.with_mm_per_pixel(None) is fitted and fitted.manifest.mm_per_pixel is None
    one, two = fitted.inspect(spoiled(1)), other.inspect(spoiled(1))
    assert one.regions[0].area_mm2 is None and two.regions[0].area_mm2 == two.regions[0].area_px / 16
    assert [region.box for region in one.regions] == [region.box for region in two.regions]
