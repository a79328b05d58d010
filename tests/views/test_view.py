"""Views: squares that cover what is inspected, and maps that come back without a seam."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.views import FILL, Frame, RegionOfInterest, View, resize_image


@dataclass(frozen=True)
class Case:
    """A view of a picture of this size, with what is inspected of it."""

    view: View
    size: tuple[int, int]
    region: RegionOfInterest | None = None
    seed: int = 0

    @property
    def frame(self) -> Frame:
        return self.view.frame(self.size, self.region)

    @property
    def inside(self) -> np.ndarray:
        """The working pixels that are inspected."""
        frame = self.frame
        return np.ones(frame.working, bool) if frame.inside is None else frame.inside

    @property
    def picture(self) -> np.ndarray:
        return np.random.default_rng(self.seed).integers(0, 256, (*self.size, 3), np.uint8)

    def maps(self, seed: int = 0) -> np.ndarray:
        frame = self.frame
        return np.random.default_rng(seed).normal(size=(frame.tiles, frame.side, frame.side)).astype(np.float32)


def region_of(size: tuple[int, int], seed: int) -> RegionOfInterest:
    """Two boxes and an ellipse, anywhere."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    for _ in range(2):
        y, x = (int(rng.integers(0, length - 11)) for length in size)
        mask[y : y + int(rng.integers(10, 30)), x : x + int(rng.integers(10, 30))] = 1
    centre = int(rng.integers(10, size[1] - 10)), int(rng.integers(10, size[0] - 10))
    return RegionOfInterest(cv2.ellipse(mask, centre, (10, 7), 30, 0, 360, 1, -1) > 0)


@st.composite
def cases(draw: st.DrawFn, kinds: str = "squash,whole,tiles", region: bool | None = None) -> Case:
    kind, side = draw(st.sampled_from(kinds.split(","))), draw(st.sampled_from([16, 24, 32, 48]))
    least, view = 24, View(kind, side)  # type: ignore[arg-type]
    if kind == "tiles":
        tile, overlap = draw(st.none() | st.integers(8, 70)), draw(st.floats(0, 0.5) | st.sampled_from([0, 0.125, 0.5]))
        view = View("tiles", side, tile, overlap)
        least = max(least, view.cut)
    size = least + draw(st.integers(0, 110)), least + draw(st.integers(0, 110))
    seed = draw(st.integers(0, 999))
    has_region = draw(st.booleans()) if region is None else region
    return Case(view, size, region_of(size, seed) if has_region else None, seed)


tiled, open_tiled = cases("tiles"), cases("tiles", region=False)
anyhow = cases()
bordered = cases(region=True)


def smooth(size: tuple[int, int]) -> np.ndarray:
    """A map that changes slowly, and is nowhere 0."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (3 + np.sin(y / 17) + np.cos(x / 23)).astype(np.float32)


def cut_map(frame: Frame, whole: np.ndarray) -> list[np.ndarray]:
    """A map's parts as squares, nonsense where a square has no working pixels."""
    parts = []
    for y, x in frame.origins:
        square = np.full((frame.side, frame.side), 1e6, np.float32)
        part = whole[y : y + frame.side, x : x + frame.side]
        square[: part.shape[0], : part.shape[1]] = part
        parts.append(square)
    return parts


def coverage(frame: Frame) -> np.ndarray:
    """How many squares see each working pixel."""
    count = np.zeros(frame.working, int)
    for y, x in frame.origins:
        count[y : y + frame.side, x : x + frame.side] += 1
    return count


@given(anyhow)
def test_what_is_inspected_is_seen_and_every_square_sees_some_of_it(case: Case) -> None:
    frame = case.frame
    assert (coverage(frame)[case.inside] > 0).all()
    for y, x in frame.origins:
        assert case.inside[y : y + frame.side, x : x + frame.side].any()
    assert len(set(frame.origins)) == frame.tiles


@given(tiled)
def test_tiles_stay_inside(case: Case) -> None:
    frame = case.frame
    left, top, width, height = frame.box
    assert 0 <= left <= left + width <= case.size[1] and 0 <= top <= top + height <= case.size[0]
    assert all(0 <= y <= frame.working[0] - frame.side and 0 <= x <= frame.working[1] - frame.side
               for y, x in frame.origins)  # fmt: skip
    if case.region is not None:
        x, y, wide, high = case.region.box
        assert left <= x and top <= y and x + wide <= left + width and y + high <= top + height
        assert (width, height) == (max(wide, case.view.cut), max(high, case.view.cut))


@given(open_tiled)
def test_neighbours_share_what_was_asked_for_and_there_are_no_more_than_that_takes(case: Case) -> None:
    frame, side, overlap = case.frame, case.view.side, case.view.overlap
    shared = round(overlap * side)
    for axis in (0, 1):
        starts = sorted({origin[axis] for origin in frame.origins})
        assert starts[0] == 0 and starts[-1] == frame.working[axis] - side
        steps = np.diff(starts)
        assert (side - steps >= shared).all()
        assert np.ptp(steps) <= 1 if len(steps) else True
        assert len(starts) == 1 or (len(starts) - 2) * (side - shared) + side < frame.working[axis]
    assert frame.tiles == np.prod([len({origin[axis] for origin in frame.origins}) for axis in (0, 1)])


@given(open_tiled)
def test_tiles_scale_both_axes_by_what_was_asked_for(case: Case) -> None:
    frame, scale = case.frame, case.view.side / case.view.cut
    assert frame.box == (0, 0, case.size[1], case.size[0])
    for axis in (0, 1):
        assert abs(frame.working[axis] - case.size[axis] * scale) <= 0.5


@given(anyhow, st.floats(-5, 5, width=32))
def test_maps_of_one_value_join_to_that_value(case: Case, value: float) -> None:
    frame = case.frame
    joined = frame.join(np.full((frame.tiles, frame.side, frame.side), value, np.float32))
    assert joined.dtype == np.float32 and joined.shape == frame.working
    assert np.allclose(joined[case.inside], value, atol=1e-5) and not joined[~case.inside].any()


@given(anyhow)
def test_maps_cut_from_one_map_join_to_it_without_a_seam(case: Case) -> None:
    frame = case.frame
    whole = smooth(frame.working)
    joined = frame.join(cut_map(frame, whole))
    assert np.abs(joined - whole)[case.inside].max() < 1e-5 and not joined[~case.inside].any()


@given(cases("tiles", region=False))
def test_tiles_that_disagree_blend_without_a_step(case: Case) -> None:
    frame = case.frame
    blend = round(case.view.overlap * case.view.side)
    steps = [np.diff(sorted({origin[axis] for origin in frame.origins})) for axis in (0, 1)]
    assume(all((some >= blend).all() for some in steps))  # not two of almost the same place
    values = np.random.default_rng(case.seed).integers(0, 2, frame.tiles)
    joined = frame.join([np.full((frame.side, frame.side), one, np.float32) for one in values])
    assert joined.min() >= 0 and joined.max() <= 1 + 1e-6
    for axis in (0, 1):
        assert np.abs(np.diff(joined, axis=axis)).max() <= 2 / max(2, blend) + 1e-5


@given(anyhow, st.floats(-3, 3), st.floats(-3, 3))
def test_joining_is_linear(case: Case, a: float, b: float) -> None:
    frame, one, other = case.frame, case.maps(1), case.maps(2)
    both = frame.join((a * one + b * other).astype(np.float32))
    assert np.allclose(both, a * frame.join(one) + b * frame.join(other), atol=1e-4)


@given(anyhow)
def test_every_square_counts_where_it_alone_sees(case: Case) -> None:
    frame, maps = case.frame, case.maps()
    joined, count = frame.join(maps), coverage(frame)
    for (y, x), values in zip(frame.origins, maps, strict=True):
        place = np.s_[y : y + frame.side, x : x + frame.side]
        alone = (count[place] == 1) & case.inside[place]
        assert np.allclose(joined[place][alone], values[: alone.shape[0], : alone.shape[1]][alone], atol=1e-5)


def test_another_number_of_maps_is_refused() -> None:
    frame = View("tiles", 32).frame((64, 64))
    with pytest.raises(FlawsightError, match=r"9 maps belong to this picture, not 1"):
        frame.join(np.zeros((1, 32, 32), np.float32))


@given(
    st.sampled_from([16, 32]), st.integers(1, 4), st.integers(0, 60), st.integers(0, 60), st.floats(0, 0.5),
    st.integers(0, 99),
)  # fmt: skip
def test_a_tile_is_the_resized_crop_alone(
    side: int, times: int, more_y: int, more_x: int, overlap: float, seed: int
) -> None:
    case = Case(
        View("tiles", side, times * side, overlap), (times * (side + more_y), times * (side + more_x)), None, seed
    )
    picture, frame = case.picture, case.frame
    assert frame.working == (side + more_y, side + more_x)
    for (y, x), square in zip(frame.origins, frame.cut(picture), strict=True):
        crop = picture[times * y : times * (y + side), times * x : times * (x + side)]
        assert np.abs(square.astype(int) - resize_image(crop, side)).max() <= (1 if times > 1 else 0)


@given(anyhow)
def test_some_squares_are_those_of_all(case: Case) -> None:
    frame = case.frame
    every = list(frame.cut(case.picture))
    assert len(every) == frame.tiles and all(one.shape == (frame.side, frame.side, 3) for one in every)
    assert all(one.dtype == np.uint8 for one in every)
    wanted = np.random.default_rng(case.seed).permutation(frame.tiles)[:3].tolist()
    assert all(
        np.array_equal(one, every[number]) for number, one in zip(wanted, frame.cut(case.picture, wanted), strict=True)
    )
    assert not list(frame.cut(case.picture, []))


@given(cases("squash", region=False))
def test_squash_is_the_resized_picture(case: Case) -> None:
    (square,) = case.frame.cut(case.picture)
    assert np.array_equal(square, resize_image(case.picture, case.view.side))
    assert case.frame.is_trivial and case.frame.cells(0, (4, 4)) is None


@given(cases("whole"))
def test_whole_keeps_the_aspect_and_fills_up_with_grey(case: Case) -> None:
    frame, side = case.frame, case.view.side
    left, top, width, height = frame.box
    scale = side / max(width, height)
    assert max(frame.working) == side and frame.tiles == 1
    assert abs(frame.working[0] - height * scale) < 1 and abs(frame.working[1] - width * scale) < 1
    (square,) = frame.cut(case.picture)
    expected = np.full((side, side, 3), FILL, np.uint8)
    seen = resize_image(case.picture[top : top + height, left : left + width], frame.working)
    expected[: frame.working[0], : frame.working[1]] = np.where(case.inside[..., None], seen, FILL)
    assert np.array_equal(square, expected)


@given(cases("whole"))
def test_what_is_filled_up_never_counts(case: Case) -> None:
    frame, (height, width) = case.frame, case.frame.working
    square = np.full((frame.side, frame.side), 1e9, np.float32)
    values = smooth(frame.working) - 9
    square[:height, :width] = values
    joined = frame.join([square])
    assert np.array_equal(joined, np.where(case.inside, values, 0))
    assert frame.peak(joined) == values[case.inside].max() < 0
    assert frame.level(joined) == pytest.approx(values[case.inside].mean(), rel=1e-5)
    assert frame.to_picture(joined).max() <= 0
    cells = frame.cells(0, (frame.side, frame.side))
    if cells is not None:
        assert cells.sum() == case.inside.sum() and np.array_equal(cells[:height, :width], case.inside)
    else:
        assert case.inside.all() and frame.working == (frame.side, frame.side)


@given(bordered)
def test_what_is_not_inspected_is_grey_in_squares_and_counts_nowhere(case: Case) -> None:
    frame, inside = case.frame, case.inside
    joined = frame.join(-1 - np.abs(case.maps()))
    assert not joined[~inside].any() and (joined[inside] < 0).all()
    assert frame.peak(joined) == joined[inside].max() < 0
    assert frame.level(joined) == pytest.approx(joined[inside].mean(), rel=1e-5)
    for number, ((y, x), square) in enumerate(zip(frame.origins, frame.cut(case.picture), strict=True)):
        part = np.zeros((frame.side, frame.side), bool)
        seen = inside[y : y + frame.side, x : x + frame.side]
        part[: seen.shape[0], : seen.shape[1]] = seen
        assert (square[~part] == FILL).all()
        cells = frame.cells(number, (frame.side, frame.side))
        assert part.all() if cells is None else np.array_equal(cells, part)


@given(bordered)
def test_what_lies_outside_the_region_changes_no_square(case: Case) -> None:
    """But for a pixel at its edge, which a resized pixel mixes."""
    assert case.region is not None
    near = cv2.dilate(case.region.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    other = np.where(near[..., None], case.picture, 255 - case.picture)
    scale = max(case.frame.working[0] / case.frame.box[3], case.frame.working[1] / case.frame.box[2])
    if scale < 0.3:
        return
    assert all(np.array_equal(*pair) for pair in zip(case.frame.cut(case.picture), case.frame.cut(other), strict=True))


@given(cases("tiles", region=True))
def test_tiles_wholly_outside_are_left_out(case: Case) -> None:
    _, _, width, height = case.frame.box
    every = case.view.frame((height, width))
    seen = [(y, x) for y, x in every.origins if case.inside[y : y + every.side, x : x + every.side].any()]
    assert list(case.frame.origins) == seen and case.frame.working == every.working


@given(bordered)
def test_inside_is_the_region_resized(case: Case) -> None:
    assert case.region is not None
    left, top, width, height = case.frame.box
    part = case.region.mask[top : top + height, left : left + width]
    expected = cv2.resize(part.astype(np.float32), case.frame.working[::-1], interpolation=cv2.INTER_AREA) >= 0.5
    assert np.array_equal(case.inside, expected)
    if case.view.kind != "tiles":
        assert case.frame.box == case.region.box


def changed(case: Case, box: tuple[int, int, int, int]) -> set[int]:
    """The squares that a change in this box of the picture changes."""
    left, top, width, height = box
    picture = case.picture
    other = picture.copy()
    place = np.s_[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    other[place] = 255 - other[place]
    pairs = zip(case.frame.cut(picture), case.frame.cut(other), strict=True)
    return {number for number, (one, two) in enumerate(pairs) if not np.array_equal(one, two)}


@given(anyhow, st.data())
def test_the_squares_that_a_change_touches_are_found(case: Case, data: st.DataObject) -> None:
    height, width = case.size
    left, top = data.draw(st.integers(0, width - 2)), data.draw(st.integers(0, height - 2))
    box = (left, top, data.draw(st.integers(2, width - left)), data.draw(st.integers(2, height - top)))
    touched = case.frame.touching(box)
    assert touched == sorted(set(touched)) and changed(case, box) <= set(touched)
    if case.region is None:
        # Those that see what lies just beside it are the only others.
        more = 2 + int(np.ceil(2 * case.size[0] / case.frame.working[0]))
        around = (left - more, top - more, box[2] + 2 * more, box[3] + 2 * more)
        assert set(touched) <= changed(case, around)


@given(anyhow, st.sampled_from([1, 2, 4]))
@example(Case(View("tiles", 32, overlap=0), (63, 63)), 2)
@example(Case(View("tiles", 32, overlap=0), (159, 159)), 2)
def test_a_shrunk_frame_is_the_same_within_a_pixel(case: Case, times: int) -> None:
    frame, small = case.frame, case.frame.shrunk(times)
    assert small.side == frame.side // times and small.tiles == frame.tiles and small.box == frame.box
    assert all(abs(s - w / times) <= 1 for s, w in zip(small.working, frame.working, strict=True))
    for origin, other in zip(frame.origins, small.origins, strict=True):
        assert all(abs(o - at / times) <= 1 for at, o in zip(origin, other, strict=True))
    inside = np.ones(small.working, bool) if small.inside is None else small.inside
    assert (coverage(small)[inside] > 0).all()
    whole = smooth(frame.working)
    maps = [cv2.resize(one, (small.side, small.side), interpolation=cv2.INTER_AREA) for one in cut_map(frame, whole)]
    if case.view.kind == "tiles":
        joined = small.join(maps)
        expected = cv2.resize(whole, small.working[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(joined - expected)[inside].max() < 0.15 * times


@given(cases("tiles"))
def test_squares_show_their_part_of_a_mask(case: Case) -> None:
    frame = case.frame
    mask = region_of(case.size, case.seed + 1).mask
    left, top, width, height = frame.box
    part = mask[top : top + height, left : left + width].astype(np.uint8)
    seen = cv2.resize(part, frame.working[::-1], interpolation=cv2.INTER_NEAREST) > 0
    for number, (y, x) in enumerate(frame.origins):
        found = frame.from_picture(mask, number)
        assert found.dtype == bool and np.array_equal(found, seen[y : y + frame.side, x : x + frame.side])


@given(cases("whole", region=False))
def test_a_mask_does_not_reach_into_what_is_filled_up(case: Case) -> None:
    found = case.frame.from_picture(np.ones(case.size, bool), 0)
    assert found.sum() == np.prod(case.frame.working) and found[: case.frame.working[0], : case.frame.working[1]].all()


@given(anyhow)
def test_a_map_goes_back_to_where_the_picture_was(case: Case) -> None:
    frame = case.frame
    left, top, width, height = frame.box
    whole = frame.to_picture(np.ones(frame.working, np.float32))
    expected = np.zeros(case.size, np.float32)
    expected[top : top + height, left : left + width] = 1
    assert whole.dtype == np.float32 and np.allclose(whole, expected)
    row, column = frame.working[0] // 3, frame.working[1] // 2
    rows, columns = np.ogrid[: frame.working[0], : frame.working[1]]
    spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 20).astype(np.float32)
    y, x = np.unravel_index(frame.to_picture(spot).argmax(), case.size)
    assert abs(y - top - (row + 0.5) * height / frame.working[0]) <= 1 + height / frame.working[0]
    assert abs(x - left - (column + 0.5) * width / frame.working[1]) <= 1 + width / frame.working[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("tiles", 64, 7), r"--tile 7 is too small: a tile needs at least 8"),
        (("squash", 64, 64), r"--tile is for --view tiles, not squash"),
        (("whole", 64, 64), r"--tile is for --view tiles, not whole"),
        (("tiles", 64, None, -0.01), r"overlap by 0 to 0\.5"),
        (("tiles", 64, None, 0.51), r"overlap by 0 to 0\.5"),
        (("tiles", 64, None, float("nan")), r"overlap by 0 to 0\.5"),
    ],
)
def test_views_that_make_no_sense(options: tuple, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        View(*options)


@pytest.mark.parametrize(("tile", "size"), [(65, (64, 80)), (81, (200, 80)), (None, (63, 200))])
def test_tiles_larger_than_the_picture(tile: int | None, size: tuple[int, int]) -> None:
    view = View("tiles", 64, tile)
    with pytest.raises(
        FlawsightError, match=rf"{view.cut} pixels are larger.*--tile {min(size)} or less.*--view whole"
    ):
        view.frame(size)
    region = RegionOfInterest(np.ones(size, bool))
    with pytest.raises(FlawsightError, match="larger than the picture"):
        view.frame(size, region)
    assert View("tiles", 64, min(size)).frame(size).tiles >= 1


def test_a_region_too_thin_for_the_view_is_refused() -> None:
    mask = np.zeros((400, 400), bool)
    np.fill_diagonal(mask, True)
    region = RegionOfInterest(mask)
    with pytest.raises(FlawsightError, match="too thin to be seen with --view squash"):
        View("squash", 32).frame((400, 400), region)
    assert View("tiles", 32).frame((400, 400), region).tiles > 12
