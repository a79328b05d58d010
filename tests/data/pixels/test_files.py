"""TIFF and its neighbours: every way to store the same values gives the same picture, or is refused by name."""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import IMAGE_SUFFIXES, InMemory, find_images, image_size, learn_pixel_format, read_image

WAYS = {
    "big endian": {"byteorder": ">"},
    "tiled": {"tile": (16, 16)},
    "planar": {"planarconfig": "separate"},
    "big": {"bigtiff": True},
    "lzw": {"compression": "lzw"},
    "lzw with a predictor": {"compression": "lzw", "predictor": True},
    "deflate": {"compression": "zlib", "predictor": True, "rowsperstrip": 7},
    "zstd": {"compression": "zstd"},
    "packbits": {"compression": "packbits"},
    "jpeg xl": {"compression": "jpegxl", "compressionargs": {"level": 100, "lossless": True}},
    "planar, tiled, big endian": {"planarconfig": "separate", "tile": (16, 16), "byteorder": ">"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiff(
    tmp_path: Path,
    way: str,
    bits: int,
    channels: int,
    at_depth: Callable,
    make_scene: Callable,
    rgb: Callable,
    write: Callable,
) -> None:
    options = dict(WAYS[way])
    scenes = [make_scene(seed, channels) for seed in range(8)]
    if "planarconfig" in options and channels == 1:
        pytest.skip("one plane")
    paths = []
    for number, scene in enumerate(scenes):
        values = scene if bits == 8 else at_depth(scene, bits)
        values = np.moveaxis(values, -1, 0).copy() if "planarconfig" in options else values
        photometric = "rgb" if channels == 3 else "minisblack"
        paths.append(write(tmp_path / f"{number}.tif", values, photometric=photometric, **options))
    learned = learn_pixel_format(paths)
    for path, scene in zip(paths, scenes, strict=True):
        np.testing.assert_array_equal(read_image(path, pixels=learned), rgb(scene))
        assert image_size(path) == scene.shape[:2]


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_white_is_zero(
    tmp_path: Path, bits: int, at_depth: Callable, make_scene: Callable, rgb: Callable, write: Callable
) -> None:
    white = (1 << bits) - 1
    paths = []
    for seed in range(8):
        values = make_scene(seed, 1) if bits == 8 else at_depth(make_scene(seed, 1), bits)
        paths.append(write(tmp_path / f"{seed}.tif", (white - values).astype(values.dtype), photometric="miniswhite"))
    learned = learn_pixel_format(paths)
    for seed, path in enumerate(paths):
        np.testing.assert_array_equal(read_image(path, pixels=learned), rgb(make_scene(seed, 1)))


def test_jpeg_in_tiff(tmp_path: Path, make_scene: Callable, write: Callable) -> None:
    smooth = cv2.GaussianBlur(make_scene(0, 3), (0, 0), 3)
    paths = [write(tmp_path / f"{n}.tif", smooth, compression="jpeg") for n in range(3)]
    assert np.abs(read_image(paths[0], pixels=learn_pixel_format(paths)).astype(int) - smooth).mean() < 4


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(
    tmp_path: Path,
    orientation: int,
    channels: int,
    bits: int,
    at_depth: Callable,
    make_scene: Callable,
    rgb: Callable,
    write: Callable,
) -> None:
    scene = make_scene(0, channels)
    path = write(
        tmp_path / "a.tif", scene if bits == 8 else at_depth(scene, 16), extratags=[(274, 3, 1, orientation, True)]
    )
    order = (1, 0, 2)
    turned = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(order), 6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(order), 8: lambda a: np.rot90(a, 1),
    }[orientation]  # fmt: skip
    np.testing.assert_array_equal(read_image(path), turned(rgb(scene)))
    assert image_size(path) == turned(scene.reshape(*scene.shape[:2], -1)).shape[:2]


def packed(path: Path, values: np.ndarray, bits: int) -> Path:
    """A TIFF by hand, whose values lie side by side without gaps."""
    height, width = values.shape
    single = (values[..., None] >> np.arange(bits)[::-1]) & 1
    data = np.packbits(single.reshape(height, width * bits).astype(np.uint8), axis=1).tobytes()
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    tags = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*entries, (279, len(data))]]
    table = struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + table)
    return path


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_bits(tmp_path: Path, bits: int, at_depth: Callable, make_scene: Callable, rgb: Callable) -> None:
    paths = [packed(tmp_path / f"{seed}.tif", at_depth(make_scene(seed, 1), bits), bits) for seed in range(3)]
    learned = learn_pixel_format(paths)
    assert learned.bits == bits
    np.testing.assert_array_equal(read_image(paths[0], pixels=learned), rgb(make_scene(0, 1)))


@pytest.mark.parametrize("thumbnail_first", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_previews_are_not_pages(
    tmp_path: Path,
    thumbnail_first: bool,
    bits: int,
    at_depth: Callable,
    make_scene: Callable,
    rgb: Callable,
    write: Callable,
) -> None:
    scene = make_scene(0, 3) if bits == 8 else at_depth(make_scene(0, 3), 16)
    pages = [(scene, 0), (scene[::4, ::4].copy(), 1)]
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for values, kind in reversed(pages) if thumbnail_first else pages:
            file.write(values, photometric="rgb", subfiletype=kind)
    np.testing.assert_array_equal(read_image(path), make_scene(0, 3))


@pytest.mark.parametrize(
    "write_pages",
    [
        lambda path, scene: tifffile.imwrite(path, np.stack([scene, scene]), photometric="rgb"),
        lambda path, scene: tifffile.imwrite(
            path, np.stack([scene[..., 0]] * 5), imagej=True, photometric="minisblack"
        ),
        lambda path, scene: tifffile.imwrite(
            path, np.stack([scene[..., 0]] * 16), photometric="minisblack", volumetric=True, tile=(16, 16, 16)
        ),
    ],
    ids=["pages", "imagej", "volume"],
)
def test_several_pictures_are_refused(tmp_path: Path, write_pages: Callable, make_scene: Callable) -> None:
    write_pages(tmp_path / "a.tif", make_scene())
    with pytest.raises(FlawsightError, match=r"a\.tif holds several"):
        read_image(tmp_path / "a.tif")


def test_channels_without_a_name_are_refused(tmp_path: Path, make_scene: Callable) -> None:
    values = np.dstack([make_scene(), make_scene()]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    with pytest.raises(FlawsightError, match=r"a\.tif holds 6 channels"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".pgm", ".jp2"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_deep_files_cut_short_are_named(
    tmp_path: Path, suffix: str, share: float, at_depth: Callable, make_scene: Callable, write: Callable
) -> None:
    path = write(tmp_path / f"a{suffix}", at_depth(make_scene(0, 1), 16))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(FlawsightError, match=rf"a{suffix}"):
        read_image(path)


def test_damaged_deep_files_raise_nothing_else(
    tmp_path: Path, at_depth: Callable, make_scene: Callable, write: Callable
) -> None:
    rng = np.random.default_rng(0)
    for suffix in (".tif", ".png", ".pgm", ".jp2"):
        clean = write(tmp_path / f"a{suffix}", at_depth(make_scene(0, 1), 16)).read_bytes()
        for trial in range(60):
            broken = bytearray(clean)
            for place in rng.integers(0, min(len(broken), 400), 4):
                broken[place] = rng.integers(256)
            path = tmp_path / f"broken{trial}{suffix}"
            path.write_bytes(broken)
            try:
                read_image(path)
            except FlawsightError as error:
                assert path.name in str(error)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_suffix_is_found_and_read(tmp_path: Path, suffix: str, make_scene: Callable, write: Callable) -> None:
    kinds = {".jpe": "jpeg", ".jfif": "jpeg", ".pnm": "ppm", ".pbm": "ppm"}
    values = make_scene(0, 1) > 99 if suffix == ".pbm" else make_scene(0, 1 if suffix == ".pgm" else 3)
    options = {"format": kinds[suffix]} if suffix in kinds else {}
    path = write(tmp_path / f"a{suffix}", values, **options)
    assert find_images(tmp_path) == [path]
    assert read_image(path).shape == (48, 60, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp", "ppm", "jp2"])
def test_a_file_in_memory_is_read_as_one_on_disk(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(path)
    data = path.read_bytes()
    on_disk = read_image(path)
    path.unlink()
    assert np.array_equal(read_image(InMemory("upload", data)), on_disk)
    with pytest.raises(FlawsightError, match="upload is damaged"):
        read_image(InMemory("upload", data[: len(data) // 2]))


@pytest.mark.parametrize("data", [b"", b"II*\0", b"\x89PNG\r\n\x1a\n", b"no picture"])
def test_what_is_no_picture_is_named_in_memory_too(data: bytes) -> None:
    with pytest.raises(FlawsightError, match="upload"):
        read_image(InMemory("upload", data))


def test_sixteen_bits_in_memory(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1 << 16, (24, 32), dtype=np.uint16)
    for suffix in ("png", "tif"):
        path = tmp_path / f"a.{suffix}"
        cv2.imwrite(str(path), values)
        assert np.array_equal(read_image(InMemory("upload", path.read_bytes())), read_image(path))
