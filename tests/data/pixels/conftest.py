"""Scenes of a made-up part, and files that hold the same scene in many ways."""

from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

SHAPE = (48, 60)


def _make_scene(seed: int = 0, channels: int = 3) -> np.ndarray:
    """A part with a fine grain, from black to white, (48, 60, channels) uint8; one channel: (48, 60)."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(20, 200, (5, 6, channels)), SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    coarse = coarse.reshape(*SHAPE, channels) + rng.normal(0, 6, (*SHAPE, channels))
    coarse[0, 0], coarse[0, 1] = 0, 255
    return coarse.clip(0, 255).round().astype(np.uint8).squeeze()


def _at_depth(scene: np.ndarray, bits: int, shifted: bool = False) -> np.ndarray:
    """The scene of 8 bits as a camera of so many bits gives it, in 16."""
    if shifted:
        return scene.astype(np.uint16) << (bits - 8)
    return np.rint(scene / 255 * ((1 << bits) - 1)).astype(np.uint16)


def _write(path: Path, values: np.ndarray, **options: object) -> Path:
    """A file of these values, by its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix
    if kind == ".tif":
        is_colour = values.ndim == 3 and values.shape[-1] in (3, 4)
        tifffile.imwrite(path, values, **{"photometric": "rgb" if is_colour else "minisblack", **options})
    elif kind == ".png" and values.dtype == np.uint16:
        path.write_bytes(imagecodecs.png_encode(values))
    elif kind == ".jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(values, level=0, reversible=True, **options))
    elif kind in (".pgm", ".ppm") and values.dtype == np.uint16:
        magic, white = ("P5", "P6")[values.ndim == 3], options.get("white", 65535)
        header = f"{magic}\n# a camera\n{values.shape[1]} {values.shape[0]}\n{white}\n"
        path.write_bytes(header.encode() + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(path, **options)
    return path


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[..., list[Path]]:
    """Ten scenes, changed by a function, as files of a suffix."""

    def make(suffix: str, change: Callable[[np.ndarray], np.ndarray], channels: int = 1, name: str = "g") -> list[Path]:
        return [_write(tmp_path / f"{name}{seed}{suffix}", change(_make_scene(seed, channels))) for seed in range(10)]

    return make


def _rgb(scene: np.ndarray) -> np.ndarray:
    return np.dstack([scene] * 3) if scene.ndim == 2 else scene


def _given(function: Callable) -> Callable:
    return pytest.fixture(scope="session", name=function.__name__.lstrip("_"))(lambda: function)


make_scene, at_depth, write, rgb = map(_given, (_make_scene, _at_depth, _write, _rgb))
