"""Images on disk: whatever was written is read, as RGB, upright; what cannot be is refused by name."""

import os
import re
import struct
import threading
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import image_size, read_image, read_mask

ORIENTATION = 0x0112


def picture(height=12, width=20, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8).squeeze()


def save(path: Path, pixels, mode=None, **options) -> Path:
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def png_header(path: Path, width: int, height: int) -> Path:
    """A PNG file that promises a size and holds no pixels."""

    def chunk(kind, data=b""):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"") + chunk(b"IEND")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "webp", "PNG"])
def test_lossless_formats_return_what_was_written(tmp_path, suffix):
    pixels = picture()
    path = save(tmp_path / f"a.{suffix}", pixels, **({"lossless": True} if suffix == "webp" else {}))
    read = read_image(path)
    assert read.dtype == np.uint8
    assert read.flags.writeable
    np.testing.assert_array_equal(read, pixels)
    assert image_size(path) == (12, 20)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "jpg"])
def test_agrees_with_opencv(tmp_path, suffix):
    smooth = cv2.resize(picture(4, 5), (40, 32), interpolation=cv2.INTER_CUBIC)
    path = save(tmp_path / f"a.{suffix}", smooth)
    oracle = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert np.abs(read_image(path).astype(int) - oracle).max() <= (4 if suffix == "jpg" else 0)


def test_grey_is_repeated(tmp_path):
    pixels = picture(channels=1)
    read = read_image(save(tmp_path / "a.png", pixels))
    np.testing.assert_array_equal(read, np.dstack([pixels] * 3))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("peak", [65535, 4095, 300])
def test_16_bit_grey_has_one_rule_for_every_image(tmp_path, suffix, peak):
    pixels = np.linspace(0, peak, 20 * 12).round().astype(np.uint16).reshape(12, 20)
    read = read_image(save(tmp_path / f"a.{suffix}", pixels))
    np.testing.assert_array_equal(read, np.dstack([np.rint(pixels / 257.0).astype(np.uint8)] * 3))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colour_is_within_one_level_of_the_grey_rule(tmp_path, suffix):
    pixels = np.random.default_rng(1).integers(0, 65536, (12, 20, 3)).astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), pixels[..., ::-1])
    assert np.abs(read_image(path) - pixels / 257.0).max() <= 1


def test_16_bit_big_endian_tiff(tmp_path):
    pixels = np.linspace(0, 65535, 240).round().astype(np.uint16).reshape(12, 20)
    little = read_image(save(tmp_path / "a.tif", pixels))
    Image.frombytes("I;16B", (20, 12), pixels.astype(">u2").tobytes()).save(tmp_path / "b.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), little)


def test_transparency_is_laid_over_white(tmp_path):
    pixels = picture(channels=4)
    pixels[..., 3] = np.tile([0, 255, 128, 64], 60).reshape(12, 20)
    read = read_image(save(tmp_path / "a.png", pixels))
    alpha = pixels[..., 3:] / 255.0
    assert np.abs(read - (pixels[..., :3] * alpha + 255 * (1 - alpha))).max() <= 1
    np.testing.assert_array_equal(read[pixels[..., 3] == 255], pixels[pixels[..., 3] == 255][:, :3])


def test_palettes(tmp_path):
    index = picture(channels=1) % 3
    image = Image.fromarray(index).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=1)
    colours = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)
    np.testing.assert_array_equal(read_image(tmp_path / "opaque.png"), colours[index])
    colours[1] = 255
    np.testing.assert_array_equal(read_image(tmp_path / "clear.png"), colours[index])


def test_one_bit(tmp_path):
    pixels = picture(channels=1) > 127
    read = read_image(save(tmp_path / "a.png", pixels))
    np.testing.assert_array_equal(read, np.dstack([pixels * np.uint8(255)] * 3))


def test_cmyk(tmp_path):
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 0] = 255  # all cyan
    Image.frombytes("CMYK", (16, 16), inks.tobytes()).save(tmp_path / "a.tif")
    assert (read_image(tmp_path / "a.tif") == [0, 255, 255]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_unbounded_pixels_are_refused(tmp_path, dtype):
    path = save(tmp_path / "a.tif", np.ones((12, 20), dtype))
    with pytest.raises(FlawsightError, match=r"a\.tif holds .*save it as"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, suffix, orientation):
    upright = picture()
    # Independent of Pillow's table: how the stored pixels arise from the upright ones (EXIF 2.3).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored), exif=exif, **options)
    assert image_size(path) == (12, 20)
    np.testing.assert_array_equal(read_image(path), upright)


def test_exif_jpeg_agrees_with_opencv(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = save(tmp_path / "a.jpg", np.full((16, 32, 3), 9, np.uint8), exif=exif)
    assert read_image(path).shape == cv2.imread(str(path)).shape == (*image_size(path), 3) == (32, 16, 3)


def test_png_exif_behind_the_pixels_never_makes_size_and_pixels_disagree(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = save(tmp_path / "a.png", picture(), exif=exif).read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", data[start : start + 4])[0]
    late = tmp_path / "late.png"
    late.write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    assert read_image(late).shape[:2] == image_size(late)


def test_too_many_pixels_are_refused_from_the_header(tmp_path):
    path = png_header(tmp_path / "huge.png", 20_000, 10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FlawsightError, match=r"huge\.png has 20000 x 10000.*--max-pixels"):
            read_image(path)
        assert image_size(path) == (10_000, 20_000)
        with pytest.raises(FlawsightError, match="damaged"):  # a raised limit goes on to decode, past Pillow's own
            read_image(path, max_pixels=300_000_000)


def test_pixel_limit_is_inclusive_and_pillows_own_is_left_alone(tmp_path):
    path = save(tmp_path / "a.png", picture())
    before = Image.MAX_IMAGE_PIXELS
    threads = [threading.Thread(target=read_image, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Image.MAX_IMAGE_PIXELS == before is not None
    assert read_image(path, max_pixels=240).shape == (12, 20, 3)
    with pytest.raises(FlawsightError, match="--max-pixels"):
        read_image(path, max_pixels=239)


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (100, 7)])
def test_too_small(tmp_path, shape):
    path = save(tmp_path / "a.png", np.zeros(shape, np.uint8))
    with pytest.raises(FlawsightError, match=r"a\.png.*at least 8"):
        read_image(path)


def test_smallest_allowed(tmp_path):
    assert read_image(save(tmp_path / "a.png", picture(8, 8))).shape == (8, 8, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_files(tmp_path, suffix, share):
    path = save(tmp_path / f"a.{suffix}", picture(64, 64))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(FlawsightError, match=re.escape(str(path))):
        read_image(path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_bytes_raise_nothing_but_flawsight_errors(tmp_path):
    rng = np.random.default_rng(3)
    for suffix in ("png", "jpg", "bmp", "tif", "webp"):
        clean = save(tmp_path / f"a.{suffix}", picture(16, 16)).read_bytes()
        for trial in range(40):
            broken = bytearray(clean)
            for place in rng.integers(0, min(len(broken), 120), 4):
                broken[place] = rng.integers(256)
            path = tmp_path / f"broken{trial}.{suffix}"
            path.write_bytes(broken)
            try:
                assert read_image(path).dtype == np.uint8
            except FlawsightError as error:
                assert path.name in str(error)


def test_files_that_are_no_image(tmp_path):
    (tmp_path / "text.png").write_text("hello, this is no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    Image.fromarray(picture()).save(tmp_path / "gif.png", format="GIF")
    for name, reason in {
        "text.png": "is not a PNG",
        "gif.png": "is not a PNG",
        "empty.png": "0 bytes",
        "folder.png": "is a folder",
        "missing.png": "no such image",
    }.items():
        for read in (read_image, image_size, lambda path: read_mask(path, (12, 20))):
            with pytest.raises(FlawsightError, match=reason) as caught:
                read(tmp_path / name)
            assert name in str(caught.value)


def test_permission_denied(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", picture())

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    if os.name == "posix" and os.geteuid() != 0:
        path.chmod(0)
    else:  # the superuser may read everything
        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FlawsightError, match=r"cannot read .*a\.png: Permission denied"):
        read_image(path)


def test_several_pages_are_refused(tmp_path):
    pages = [Image.fromarray(picture(seed=s)) for s in (0, 1)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(FlawsightError, match=r"a\.tif holds several"):
        read_image(tmp_path / "a.tif")


def test_phone_jpeg_with_preview_is_its_first_picture(tmp_path):
    first, second = (Image.fromarray(np.full((16, 16, 3), v, np.uint8)) for v in (200, 10))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    assert abs(int(read_image(tmp_path / "a.jpg").mean()) - 200) <= 2
