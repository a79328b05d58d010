"""What the benchmarks are given: seeded descriptors and textures, and draws of the good images of a category."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from flawsight.data import open_dataset, read_image
from flawsight.detectors.bases.descriptors import patch_descriptors
from flawsight.features import Extractor
from flawsight.views import ImageCache

CATEGORY = "magnetic_tile"


def clustered(count: int, size: int, seed: int, clusters: int = 200) -> np.ndarray:
    """Descriptors (count, size) float32 about `clusters` centres, of uneven spread and number, in random order."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 3, (clusters, size)).astype(np.float32)
    spreads = rng.uniform(0.3, 2, clusters).astype(np.float32)
    cluster = rng.choice(clusters, count, p=rng.dirichlet(np.ones(clusters)))
    return centres[cluster] + spreads[cluster, None] * rng.standard_normal((count, size), dtype=np.float32)


def real_descriptors(folder: Path, count: int, seed: int) -> np.ndarray:
    """Descriptors (count, 152) of the default pair of layers of the category's good images, or all where fewer."""
    extractor = Extractor(device="cpu")
    grid = extractor.layer(extractor.default_pair[0])
    images = ImageCache(good_paths(folder, -(-count // (grid.height * grid.width)), seed), extractor.image_size)
    parts = []
    for maps in extractor.batches(images, extractor.default_pair):
        parts.append(patch_descriptors([maps[name] for name in extractor.default_pair]).flatten(0, 2).numpy())
    return np.concatenate(parts)[:count]


def good_paths(folder: Path, most: int, seed: int) -> list[Path]:
    """At most so many good training images, drawn by the seed."""
    paths = sorted(sample.path for sample in open_dataset(folder).select(split="train"))
    drawn = np.sort(np.random.default_rng(seed).permutation(len(paths))[:most])
    return [paths[index] for index in drawn]


def copied(paths: list[Path], folder: Path) -> Path:
    """A plain folder with copies of these images, which any tool can read."""
    folder.mkdir(parents=True)
    for index, path in enumerate(paths):
        shutil.copyfile(path, folder / f"{index:04d}{path.suffix}")
    return folder


def textures(count: int, side: int, seed: int) -> list[np.ndarray]:
    """Good images of one made-up product: tinted noise of two grain sizes, (side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    tint = rng.uniform(0.7, 1.3, 3)
    images = []
    for _ in range(count):
        fine, coarse = (
            cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), sigma) for sigma in (1.0, 6.0)
        )
        grey = 128 + 25 * fine / fine.std() + 18 * coarse / coarse.std()
        images.append(np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8))
    return images


def written(images: list[np.ndarray], folder: Path) -> Path:
    """The images as PNG files in a new folder."""
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index:04d}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return folder


def files(folder: str | Path) -> list[Path]:
    return sorted(Path(folder).iterdir())


def arrays(folder: str | Path) -> list[np.ndarray]:
    return [read_image(path) for path in files(folder)]
