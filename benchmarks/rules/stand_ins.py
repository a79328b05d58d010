"""Stand-in products: texture photographs with defects of kinds that the search never makes.

    python -m benchmarks.rules.stand_ins DATA/dtd_textures --out FOLDER

Real products with masked defects are few, and a rule tuned on them cannot be measured on them. So rules are developed
here: for each class of the Describable Textures Dataset the two most homogeneous photographs become products, in the
MVTec AD layout. Good images are crops of the left part; test images are crops of the right part, good or with one of
five defects (crack, hole, stain, warp, wear), none of which the search draws.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from flawsight.data import read_image

SIDE, CROP, PER_CLASS = 256, 96, 2
TRAIN, GOOD, BAD_PER_KIND = 40, 16, 8
LEFT_SHARE = 0.58

Image = np.ndarray
Drawn = tuple[Image, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("textures", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for folder in sorted(path for path in options.textures.iterdir() if path.is_dir()):
        photographs = [(path, read_wide(path)) for path in sorted(folder.glob("*.jpg"))]
        for path, image in sorted(photographs, key=lambda item: heterogeneity(item[1]))[:PER_CLASS]:
            make_product(image, options.out / path.stem, seed=zlib.crc32(path.stem.encode()))
            print(path.stem, flush=True)


def read_wide(path: Path) -> Image:
    image = read_image(path)
    return image if image.shape[1] >= image.shape[0] else np.ascontiguousarray(image.transpose(1, 0, 2))


def heterogeneity(image: Image) -> float:
    """How much mean colour, contrast and fineness differ between the cells of a 3 x 5 grid, against their spread."""
    cells = [cell for row in np.array_split(image, 3) for cell in np.array_split(row, 5, axis=1)]
    values = np.array([describe(cell) for cell in cells])
    return float((values.std(0) / (values.mean(0) + 1e-6)).sum())


def describe(cell: Image) -> list[float]:
    grey = cv2.cvtColor(cell, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return [*cell.mean(axis=(0, 1)), float(grey.std()), float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())]


def make_product(image: Image, out: Path, seed: int) -> None:
    border = round(image.shape[1] * LEFT_SHARE)
    rng = np.random.default_rng(seed)
    for index in range(TRAIN):
        write(out / "train/good", index, crop(image[:, :border], rng))
    for index in range(GOOD):
        write(out / "test/good", index, crop(image[:, border:], rng))
    for name, draw in KINDS.items():
        for index in range(BAD_PER_KIND):
            picture, mask = draw(crop(image[:, border:], rng), rng)
            write(out / "test" / name, index, picture)
            write(out / "ground_truth" / name, index, mask.astype(np.uint8) * 255, "_mask")


def crop(region: Image, rng: np.random.Generator) -> Image:
    top, left = (int(rng.integers(0, extent - CROP + 1)) for extent in region.shape[:2])
    part = region[top : top + CROP, left : left + CROP]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    light = rng.uniform(0.95, 1.05)
    bigger = cv2.resize(np.ascontiguousarray(part), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.clip(bigger * light, 0, 255).astype(np.uint8)


def crack(image: Image, rng: np.random.Generator) -> Drawn:
    """A dark, jagged, branching line."""
    strength = np.zeros((SIDE, SIDE), np.float32)
    stack = [(rng.uniform(50, 206, 2), rng.uniform(0, 2 * np.pi), int(rng.integers(12, 30)))]
    while stack:
        place, heading, steps = stack.pop()
        for step in range(steps):
            heading += rng.normal(0, 0.45)
            following = place + 6 * np.array([np.cos(heading), np.sin(heading)])
            cv2.line(strength, as_point(place), as_point(following), 1.0, int(rng.integers(1, 3)), cv2.LINE_AA)
            place = following
            if rng.random() < 0.06 and step > 2:
                stack.append((place, heading + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2), steps // 3))
    shade = cv2.GaussianBlur(strength, (0, 0), 0.8)
    darker = image - (rng.uniform(0.8, 1.8) * spread(image) * shade)[..., None]
    return clipped(darker), shade > 0.25


def hole(image: Image, rng: np.random.Generator) -> Drawn:
    """A dark pit with a bright rim on one side."""
    pit = blob(rng, rng.uniform(8, 24), rough=0.15)
    inside = cv2.GaussianBlur(pit.astype(np.float32), (0, 0), 2.0)
    slope = cv2.Sobel(cv2.GaussianBlur(inside, (0, 0), 2.0), cv2.CV_32F, 1, 0)
    depth = rng.uniform(0.8, 1.8) * spread(image)
    return clipped(image - (depth * inside)[..., None] - (depth * 2 * slope)[..., None]), pit


def stain(image: Image, rng: np.random.Generator) -> Drawn:
    """A translucent patch of another hue with a ragged edge."""
    patch = blob(rng, rng.uniform(14, 40), rough=0.5)
    share = cv2.GaussianBlur(patch.astype(np.float32), (0, 0), 1.5)[..., None]
    gain = 1 + rng.uniform(0.12, 0.35) * rng.uniform(-1, 1, 3)
    gain += rng.choice([-1, 1]) * rng.uniform(0.08, 0.2)
    return clipped(image * (1 - share + share * gain)), patch


def warp(image: Image, rng: np.random.Generator) -> Drawn:
    """The texture twisted about a point."""
    centre, radius = rng.uniform(60, 196, 2), rng.uniform(18, 45)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    dy, dx = rows - centre[0], columns - centre[1]
    fall = np.clip(1 - np.hypot(dy, dx) / radius, 0, 1) ** 1.5
    angle = rng.choice([-1, 1]) * rng.uniform(0.9, 2.0) * fall
    map_x = (centre[1] + dx * np.cos(angle) - dy * np.sin(angle)).astype(np.float32)
    map_y = (centre[0] + dx * np.sin(angle) + dy * np.cos(angle)).astype(np.float32)
    twisted = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return twisted, fall > 0.1


def wear(image: Image, rng: np.random.Generator) -> Drawn:
    """A patch whose fine structure is rubbed away."""
    patch = blob(rng, rng.uniform(14, 40), rough=0.3)
    share = cv2.GaussianBlur(patch.astype(np.float32), (0, 0), 2.5)[..., None]
    smooth = cv2.GaussianBlur(image, (0, 0), rng.uniform(3, 6))
    return clipped(image * (1 - share) + smooth * share), patch


def blob(rng: np.random.Generator, radius: float, rough: float) -> np.ndarray:
    """A filled closed curve about a random centre, (SIDE, SIDE) bool."""
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    wave = sum(rng.normal(0, rough / k) * np.cos(k * angles + rng.uniform(0, 2 * np.pi)) for k in range(1, 9))
    reach = radius * np.clip(1 + wave, 0.3, 2.0)
    centre = rng.uniform(60, 196, 2)
    squeeze = rng.uniform(0.6, 1.0)
    points = np.stack([centre[0] + reach * np.cos(angles), centre[1] + squeeze * reach * np.sin(angles)], axis=1)
    filled = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(filled, [np.round(points).astype(np.int32)], 1)
    return filled > 0


KINDS: dict[str, Callable[[Image, np.random.Generator], Drawn]] = {
    "crack": crack,
    "hole": hole,
    "stain": stain,
    "warp": warp,
    "wear": wear,
}


def spread(image: Image) -> float:
    """Contrast of the texture in grey levels, with a floor for flat ones."""
    return max(12.0, float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std()))


def as_point(place: np.ndarray) -> tuple[int, int]:
    return round(place[0]), round(place[1])


def clipped(values: np.ndarray) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)


def write(folder: Path, index: int, picture: np.ndarray, suffix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    cv2.imwrite(str(folder / f"{index:03d}{suffix}.png"), bgr)


if __name__ == "__main__":
    main()
