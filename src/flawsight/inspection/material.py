"""What kinds of defects are made of beyond the good images: foreign textures, and a generator's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from flawsight.data import MAX_PIXELS, find_images, fingerprint, read_image
from flawsight.generation import Description, pictures_of, trained
from flawsight.generation.networks import find_preset
from flawsight.generation.sampling import check_sampling
from flawsight.inspection.images import ResizedImages
from flawsight.progress import Progress

MOST_TEXTURES = 256
LONGEST_SIDE = 512


def read_textures(folder: str | Path, seed: int, max_pixels: int = MAX_PIXELS) -> list[np.ndarray]:
    """Textures in the folder and below it: at most 256, drawn with `seed`, their longer side at most 512 pixels."""
    paths = find_images(folder, recursive=True)
    drawn = np.random.default_rng(seed).permutation(len(paths))[:MOST_TEXTURES]
    return [_within(read_image(paths[index], max_pixels), LONGEST_SIDE) for index in sorted(drawn)]


def sdas_material(
    paths: Sequence[Path],
    folder: Path,
    *,
    count: int = 64,
    strength: float | tuple[float, float] = (0.1, 0.2),
    preset: str = "small",
    steps: int | None = None,
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> tuple[list[np.ndarray], Description]:
    """`count` pictures of the generator of these good images, kept in the folder, and what that generator is."""
    check_sampling(strength)  # before a long training
    images = ResizedImages(paths, find_preset(preset).side, max_pixels)
    description = trained(images, folder, preset, steps, seed, fingerprint(paths), progress)
    return pictures_of(folder, count, strength, seed, progress), description


def _within(image: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
