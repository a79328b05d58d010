"""Stand-in products with small defects: textures with specks, discs that lie turned, and solar cells.

    python -m benchmarks.rules.small_stand_ins DATA/dtd_textures --out FOLDER

Those of `stand_ins` are enlarged textures whose defects are large. Here photographs are enlarged less, the same five
defects are drawn two to three times smaller, and there are objects: discs of a texture on a plain table, at any angle,
and the good cells of `elpv-dataset` (mono- and polycrystalline). MVTec AD layout.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.rules.stand_ins import (
    BAD_PER_KIND,
    GOOD,
    KINDS,
    LEFT_SHARE,
    SIDE,
    TRAIN,
    Drawn,
    Image,
    heterogeneity,
    read_wide,
    write,
)

LARGEST_CROP, SMALLEST_CROP = 118, 100
SPECKS = ("blotchy", "braided", "bumpy", "chequered", "cracked", "crosshatched")
DISCS = ("banded", "blotchy", "bubbly", "bumpy", "cobwebbed", "crystalline")
CELLS = ("mono", "poly")
INSIDE_DISC = (64, 64, 128, 128)
"""Top, left, height and width of what lies on every disc."""
Maker = Callable[[np.random.Generator, bool], Image]
"""A picture to learn from, or to test on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("textures", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    photographs = {folder.name: large_photographs(folder) for folder in sorted(options.textures.iterdir())}
    for name in SPECKS:
        path, image = photographs[name][2]
        make_product(options.out / f"specks_{path.stem}", partial(texture, image), 80, seed_of(path))
    for name in DISCS:
        path, image = photographs[name][3]
        make_product(options.out / f"disc_{path.stem}", partial(disc, image), 112, seed_of(path) + 1, INSIDE_DISC)
    for name in CELLS:
        make_product(options.out / f"cell_{name}", cells(name), 110, 7)


def seed_of(path: Path) -> int:
    return zlib.crc32(path.stem.encode())


def large_photographs(folder: Path) -> list[tuple[Path, Image]]:
    """The most homogeneous ones first, of those with room for two crops."""
    found = [(path, read_wide(path)) for path in sorted(folder.glob("*.jpg"))]
    found = [(path, image) for path, image in found if crop_of(image) >= SMALLEST_CROP]
    return sorted(found, key=lambda item: heterogeneity(item[1]))


def crop_of(image: Image) -> int:
    return min(image.shape[0], int(image.shape[1] * (1 - LEFT_SHARE)))


def make_product(
    out: Path, make: Maker, window: int, seed: int, inside: tuple[int, int, int, int] = (0, 0, SIDE, SIDE)
) -> None:
    """Good pictures, and defects drawn as if a window of so many pixels were a whole picture."""
    rng = np.random.default_rng(seed)
    for index in range(TRAIN):
        write(out / "train/good", index, make(rng, True))
    for index in range(GOOD):
        write(out / "test/good", index, make(rng, False))
    for name, draw in KINDS.items():
        for index in range(BAD_PER_KIND):
            picture, mask = in_window(draw, make(rng, False), window, inside, rng)
            write(out / "test" / name, index, picture)
            write(out / "ground_truth" / name, index, mask.astype(np.uint8) * 255, "_mask")
    print(out.name, flush=True)


def in_window(
    draw: Callable[[Image, np.random.Generator], Drawn],
    image: Image,
    side: int,
    inside: tuple[int, int, int, int],
    rng: np.random.Generator,
) -> Drawn:
    """Enlarge a random window to a whole picture, draw there, and bring what changed back."""
    y, x, height, width = inside
    top, left = int(rng.integers(y, y + height - side + 1)), int(rng.integers(x, x + width - side + 1))
    place = np.s_[top : top + side, left : left + side]
    enlarged = cv2.resize(np.ascontiguousarray(image[place]), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    drawn, mask = draw(enlarged, rng)
    change = cv2.resize(drawn.astype(np.float32) - enlarged, (side, side), interpolation=cv2.INTER_AREA)
    share = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    picture, small = image.copy(), np.zeros(image.shape[:2], bool)
    picture[place] = np.clip(image[place] + change, 0, 255).astype(np.uint8)
    small[place] = share >= min(0.4, float(share.max()))
    return picture, small


def texture(image: Image, rng: np.random.Generator, is_learned: bool) -> Image:
    """A crop of the photograph's left part, or of the right one."""
    border = round(image.shape[1] * LEFT_SHARE)
    region = image[:, :border] if is_learned else image[:, border:]
    side = min(LARGEST_CROP, crop_of(image), *region.shape[:2])
    top, left = (int(rng.integers(0, extent - side + 1)) for extent in region.shape[:2])
    part = region[top : top + side, left : left + side]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    enlarged = cv2.resize(np.ascontiguousarray(part), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.clip(enlarged * rng.uniform(0.95, 1.05), 0, 255).astype(np.uint8)


def disc(image: Image, rng: np.random.Generator, is_learned: bool) -> Image:
    """A disc of the texture, turned, a little off the middle of a table, with a darker rim and a soft shadow."""
    surface: np.ndarray = texture(image, rng, is_learned).astype(np.float32)
    turned = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(0, 360), 1.0)
    surface = cv2.warpAffine(surface, turned, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    y, x = SIDE / 2 + rng.uniform(-5, 5), SIDE / 2 + rng.uniform(-5, 5)
    radius = rng.uniform(88, 93)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    distance = np.hypot(rows - y, columns - x)
    share = np.clip(radius - distance + 0.5, 0, 1)[..., None]
    rim = (1 - 0.35 * np.clip((distance - radius + 25) / 25, 0, 1))[..., None]
    shadow = 40 * np.exp(-(((distance - radius) / 9).clip(0) ** 2)) * (distance > radius)
    table = np.array((205, 208, 212), np.float32) + (6 * ((columns + rows) / SIDE - 1) - shadow)[..., None]
    picture = share * surface * rim + (1 - share) * table + rng.normal(0, 2, (SIDE, SIDE, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def cells(kind: str) -> Maker:
    """Good cells, each shown once."""
    from elpv_dataset.utils import load_dataset

    pictures, probability, types = load_dataset()
    order = np.random.default_rng(1).permutation(np.flatnonzero((probability == 0) & (types == kind)))
    waiting: dict[bool, Iterator[int]] = {True: iter(order[:TRAIN]), False: iter(order[TRAIN:])}

    def make(rng: np.random.Generator, is_learned: bool) -> Image:
        del rng
        grey = np.repeat(pictures[next(waiting[is_learned])][..., None], 3, 2)
        return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

    return make


if __name__ == "__main__":
    main()
