"""What the pages show, without a browser."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.station.history import Scores
from flawsight.station.page.facts.bins import bins_of
from flawsight.station.page.facts.flips import flips
from flawsight.station.page.facts.polygons import mask_of, polygon_of, region_document, shade_png, text_of
from flawsight.station.page.facts.rates import wilson
from flawsight.views import read_region

scores = st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=60)


def scores_of(values: list[float]) -> Scores:
    n = len(values)
    ids = np.array([f"{number:032x}" for number in range(n)], "S32")
    return Scores(ids, np.arange(n, dtype=float), np.array(values), np.zeros(n, bool), np.full(n, ""))


@given(scores, st.floats(-5, 5), st.floats(-5, 5))
def test_flips_are_the_pictures_between_the_thresholds(values: list[float], now: float, then: float) -> None:
    found = flips(scores_of(values), now, then, count=5)
    stopped = [f"{n:032x}" for n, value in enumerate(values) if value > then and not value > now]
    passed = [f"{n:032x}" for n, value in enumerate(values) if value > now and not value > then]
    assert (found.n_stopped, found.n_passed) == (len(stopped), len(passed))
    assert list(found.stopped) == stopped[::-1][:5] and list(found.passed) == passed[::-1][:5]


@given(scores, scores, st.floats(-5, 5))
def test_no_picture_is_missing_from_the_histogram(week: list[float], good: list[float], threshold: float) -> None:
    bins = bins_of(np.array(week), np.array(good), threshold)
    assert bins.week.sum() == len(week) and bins.good.sum() == len(good)
    assert 0 < bins.place(threshold) < 1 and 0 < bins.place(max(good)) < 1


def test_a_far_defect_does_not_squeeze_the_rest() -> None:
    bins = bins_of(np.array([1.0, 2.0, 900.0]), np.array([1.0, 2.0, 3.0]), 4.0)
    assert bins.place(4.0) > 0.3 and bins.week[-1] == 1


@given(st.integers(0, 300), st.integers(0, 300))
def test_an_interval_is_where_the_score_test_does_not_reject(hits: int, more: int) -> None:
    """Wilson's interval are the shares p with |hits / n - p| <= 1.96 sqrt(p (1 - p) / n)."""
    n = hits + more
    low, high = wilson(hits, n)
    if n == 0:
        assert (low, high) == (0, 1)
        return
    assert 0 <= low <= hits / n <= high <= 1
    for edge in (low, high):
        assert abs(hits / n - edge) == pytest.approx(1.959964 * np.sqrt(edge * (1 - edge) / n), abs=1e-6)


SIZE = (40, 60)
points = st.tuples(st.integers(0, 60), st.integers(0, 40))


@given(st.lists(points, min_size=3, max_size=8))
def test_a_polygon_survives_as_text(polygon: list[tuple[int, int]]) -> None:
    assert polygon_of(text_of(tuple(polygon)), SIZE) == tuple(polygon)


@pytest.mark.parametrize("text", ["", "1,2 3,4", "1,2 3,4 5", "a,b c,d e,f", "0,0 61,0 3,3", "0,0 5,-1 3,3"])
def test_what_is_no_polygon_is_refused(text: str) -> None:
    with pytest.raises(FlawsightError):
        polygon_of(text, SIZE)


def test_a_polygon_marks_the_pixels_in_it() -> None:
    mask = mask_of([polygon_of("10,5 30, 5 30,25 10,25", SIZE), ((0, 0), (4, 0), (4, 4), (0, 4))], SIZE)
    wanted = np.zeros(SIZE, bool)
    wanted[5:25, 10:30] = wanted[:4, :4] = True
    assert (mask == wanted).all()
    shade = cv2.imdecode(np.frombuffer(shade_png(mask), np.uint8), cv2.IMREAD_UNCHANGED)
    assert ((shade[..., 3] > 0) == wanted).all()


def test_a_fit_reads_the_region_that_is_downloaded(tmp_path: Path) -> None:
    inspect, ignore = polygon_of("5,5 50,5 50,35 5,35", SIZE), polygon_of("20,10 30,10 30,20 20,20", SIZE)
    path = tmp_path / "region.json"
    path.write_text(region_document([inspect], [ignore]), encoding="utf-8")
    assert json.loads(path.read_text())["ignore"]
    assert (read_region(path, SIZE).mask == (mask_of([inspect], SIZE) & ~mask_of([ignore], SIZE))).all()
