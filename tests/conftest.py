"""A small product that everyone upstairs shares: textured pictures, the default network at 64 pixels, one bundle."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.features import Extractor
from flawsight.inspection import Inspector
from flawsight.report import write_report

LAYERS = "blocks.1.0.*,blocks.3.0.*"
SIZE = (80, 96)
SPOT = (slice(56, 64), slice(74, 84))


def make_texture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A good part: fine noise over stripes whose place varies, RGB uint8, not square."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), 1.2)
    grey = 130 + 70 * fine + 18 * np.sin(np.arange(size[0])[:, None] / 3 + rng.uniform(0, 6))
    return np.clip(grey[..., None] * np.array([1.0, 0.94, 0.82]), 0, 255).astype(np.uint8)


def make_spoiled(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A part with a bright spot in its lower right."""
    image = make_texture(seed, size)
    image[SPOT] = 250
    return image


@pytest.fixture(scope="session")
def texture() -> Callable[..., np.ndarray]:
    return make_texture


@pytest.fixture(scope="session")
def spoiled() -> Callable[..., np.ndarray]:
    return make_spoiled


def fill(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir(parents=True)
    for seed in range(first, first + count):
        Image.fromarray(make_texture(seed)).save(folder / f"{seed:03d}.png")
    return folder


@pytest.fixture(scope="session")
def good_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 good pictures. Nobody writes here."""
    return fill(tmp_path_factory.mktemp("product") / "good", 24)


@pytest.fixture(scope="session")
def network() -> Extractor:
    return Extractor(image_size=64, device="cpu")


@pytest.fixture(scope="session")
def fit_options() -> dict[str, object]:
    """Options that make a fit take seconds."""
    return {"image_size": 64, "layers": LAYERS, "device": "cpu", "false_alarm_rate": 0.1}


@pytest.fixture(scope="session")
def fitted(good_dir: Path, fit_options: dict, tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    """An inspector fresh from its fit; its bundle and report lie in `bundle`."""
    folder = tmp_path_factory.mktemp("fitted") / "bundle"
    inspector = fs.fit(good_dir, folder, **fit_options)
    write_report(inspector, folder)
    inspector.folder = folder  # type: ignore[attr-defined]
    return inspector


@pytest.fixture(scope="session")
def bundle(fitted: Inspector) -> Path:
    """The bundle's folder. Nobody writes here: copy it."""
    return fitted.folder  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def labelled_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small MVTec-like category: good pictures and spots with masks, of one odd size among the rest."""
    root = tmp_path_factory.mktemp("labelled")
    fill(root / "train" / "good", 2, first=300)
    fill(root / "test" / "good", 4, first=400)
    for part in ("test/spot", "ground_truth/spot"):
        (root / part).mkdir(parents=True)
    for seed in range(500, 503):
        size = (88, 130) if seed == 502 else SIZE
        Image.fromarray(make_spoiled(seed, size)).save(root / "test/spot" / f"{seed}.png")
        mask = np.zeros(size, np.uint8)
        mask[SPOT] = 255
        Image.fromarray(mask).save(root / "ground_truth/spot" / f"{seed}_mask.png")
    return root
