"""The same scene in any depth and file is the same picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.data import PixelFormat, learn_pixel_format, read_image

SUFFIXES = [".png", ".tif", ".jp2", ".pgm"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("shifted", [False, True])
def test_whole_numbers(
    folder_of: Callable,
    suffix: str,
    bits: int,
    channels: int,
    shifted: bool,
    at_depth: Callable,
    make_scene: Callable,
    rgb: Callable,
) -> None:
    suffix = ".ppm" if suffix == ".pgm" and channels == 3 else suffix
    paths = folder_of(suffix, lambda scene: at_depth(scene, bits, shifted), channels)
    learned = learn_pixel_format(paths)
    assert learned.bits == bits and learned.samples == "word" and learned.is_colour == (channels == 3)
    for seed, path in enumerate(paths):
        read, expected = read_image(path, pixels=learned), rgb(make_scene(seed, channels))
        assert read.dtype == np.uint8 and read.flags.writeable
        np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("white", [1.0, 255.0, 4095.0, 65535.0])
def test_floating_point_of_a_usual_white(
    folder_of: Callable, dtype: type, white: float, make_scene: Callable, rgb: Callable
) -> None:
    if dtype is np.float16 and white > 4095:
        pytest.skip("more than it holds")
    paths = folder_of(".tif", lambda scene: (scene / 255 * white).astype(dtype))
    learned = learn_pixel_format(paths)
    for seed, path in enumerate(paths):
        assert np.abs(read_image(path, pixels=learned).astype(int) - rgb(make_scene(seed, 1))).max() <= 1


@pytest.mark.parametrize(
    ("dtype", "scale", "shift"),
    [(np.float32, 3e4, -1e4), (np.int16, 4000, -2000), (np.int32, 9e6, 0), (np.float64, 2e-6, 0)],
)
def test_any_other_range_is_learned_with_a_margin(
    folder_of: Callable, dtype: type, scale: float, shift: float, make_scene: Callable, write: Callable
) -> None:
    paths = folder_of(".tif", lambda scene: (scene / 255 * scale + shift).astype(dtype))
    learned = learn_pixel_format(paths)
    assert learned.low < shift and learned.high > scale + shift
    first = read_image(paths[0], pixels=learned)[..., 0].astype(float)
    scene = make_scene(0, 1).astype(float)
    assert np.corrcoef(first.ravel(), scene.ravel())[0, 1] > 0.999
    assert 5 < first.min() < 30 and 225 < first.max() < 250
    beyond = write(paths[0].with_name("x.tif"), (make_scene(0, 1) * 2.5 / 255 * scale + shift).astype(dtype))
    if dtype != np.int16:
        with pytest.raises(FlawsightError, match=r"x\.tif.*expected"):
            read_image(beyond, pixels=learned)


@pytest.mark.parametrize(("declared", "suffix"), [(12, ".tif"), (10, ".tif"), (12, ".pgm"), (12, ".jp2")])
def test_what_the_file_declares_goes_before_what_occurs(
    tmp_path: Path, declared: int, suffix: str, at_depth: Callable, make_scene: Callable, write: Callable
) -> None:
    option = {".tif": "extratags", ".pgm": "white", ".jp2": "bitspersample"}[suffix]
    value = {".tif": [(281, 3, 1, (1 << declared) - 1, True)], ".pgm": (1 << declared) - 1, ".jp2": declared}[suffix]
    dark = [
        write(tmp_path / f"{n}{suffix}", at_depth(make_scene(n, 1) // 9, declared), **{option: value}) for n in range(9)
    ]
    learned = learn_pixel_format(dark)
    assert learned.bits == declared and not learned.concerns
    assert np.abs(read_image(dark[0], pixels=learned)[..., 0].astype(int) - make_scene(0, 1) // 9).max() <= 1


def test_a_dark_set_is_not_taken_for_fewer_bits_without_a_word(folder_of: Callable, at_depth: Callable) -> None:
    paths = folder_of(".tif", lambda scene: at_depth(scene, 16) // 40)
    learned = learn_pixel_format(paths)
    assert learned.bits == 12 and any("--bits" in concern for concern in learned.concerns)
    told = learn_pixel_format(paths, bits=16)
    assert told.bits == 16 and not told.concerns
    with pytest.raises(FlawsightError, match=r"--bits 10 .*has 1638"):
        learn_pixel_format(paths, bits=10)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("usual", [10, 12, 14, 16])
@pytest.mark.parametrize("other", [10, 12, 14, 16])
def test_another_depth_is_named(
    folder_of: Callable, suffix: str, usual: int, other: int, at_depth: Callable, make_scene: Callable, write: Callable
) -> None:
    paths = folder_of(suffix, lambda scene: at_depth(scene, usual))
    learned = learn_pixel_format(paths)
    new = write(paths[0].with_name(f"new{suffix}"), at_depth(make_scene(50, 1), other))
    if usual == other:
        read_image(new, pixels=learned)
        return
    with pytest.raises(
        FlawsightError, match=rf"new{suffix}.*expected grey {usual}-bit pictures as learned, got .*{other}"
    ):
        read_image(new, pixels=learned)
    with pytest.raises(FlawsightError, match=rf"1 of 11 .*new{suffix}"):
        learn_pixel_format([*paths, new])


def test_dark_and_bright_parts_of_the_same_depth_are_read(
    folder_of: Callable, at_depth: Callable, write: Callable
) -> None:
    learned = learn_pixel_format(paths := folder_of(".png", lambda scene: at_depth(scene, 12)))
    rng = np.random.default_rng(0)
    for number, values in enumerate((rng.integers(0, 60, (48, 60)), np.full((48, 60), 4095), np.zeros((48, 60)))):
        read_image(write(paths[0].with_name(f"n{number}.png"), values.astype(np.uint16)), pixels=learned)


@pytest.mark.parametrize(
    ("learned_of", "came"),
    [
        ("grey 12", "colour 8"), ("grey 12", "grey 8"), ("grey 8", "grey 16"), ("grey 8", "colour 8"),
        ("colour 8", "grey 8"),
        ("colour 12", "grey 12"), ("grey 16", "grey float"), ("grey float", "grey 8"), ("colour 16", "colour 8"),
        ("colour 8", "grey as colour 8"), ("grey 16", "colour 16"),
    ],
)  # fmt: skip
def test_another_kind_is_refused_with_what_was_expected(
    tmp_path: Path, learned_of: str, came: str, at_depth: Callable, make_scene: Callable, rgb: Callable, write: Callable
) -> None:
    def save(kind: str, name: str, seed: int) -> Path:
        *colour, depth = kind.split()
        scene = make_scene(seed, 3 if colour == ["colour"] else 1)
        scene = rgb(scene) if len(colour) == 3 else scene
        values = scene if depth == "8" else scene / np.float32(255) if depth == "float" else at_depth(scene, int(depth))
        return write(tmp_path / f"{name}.tif", values)

    learned = learn_pixel_format([save(learned_of, f"g{seed}", seed) for seed in range(8)])
    colour, depth = learned_of.split()
    expected = f"{colour} {'floating-point' if depth == 'float' else depth + '-bit'}"
    with pytest.raises(FlawsightError, match=rf"new\.tif .*expected {expected} pictures as learned, got "):
        read_image(save(came, "new", 99), pixels=learned)


def test_grey_stored_as_colour_is_grey_and_formats_of_8_bits_are_alike(
    tmp_path: Path, make_scene: Callable, rgb: Callable, write: Callable
) -> None:
    learned = learn_pixel_format([write(tmp_path / f"{n}.png", make_scene(n, 1)) for n in range(8)])
    assert learned == PixelFormat(
        is_colour=False, level=learned.level, sizes=learned.sizes, aspects=learned.aspects, mosaic=learned.mosaic
    )
    for name in ("a.jpg", "a.jfif", "a.bmp", "a.tif", "a.webp", "a.png"):
        read = read_image(write(tmp_path / name, rgb(make_scene(3, 1))), pixels=learned)
        assert np.abs(read.astype(int) - rgb(make_scene(3, 1))).mean() < 6


def test_floats_that_are_no_numbers(folder_of: Callable, make_scene: Callable, write: Callable) -> None:
    learned = learn_pixel_format(paths := folder_of(".tif", lambda scene: (scene / 255).astype(np.float32)))
    values = (make_scene(1, 1) / 255).astype(np.float32)
    values[3, 3] = np.nan
    with pytest.raises(FlawsightError, match="no numbers"):
        read_image(write(paths[0].with_name("nan.tif"), values), pixels=learned)
