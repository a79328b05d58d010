"""The picture of docs/synthesis.md: anomalous pictures at several strengths, and local defects on one good image.

    python -m benchmarks.synthesis_sheet DATA --out docs/images/synthesis.png [--product cookie] [--generator FOLDER]

DATA holds the product, in the MVTec AD layout, and `dtd_textures`. Trains the generator unless FOLDER holds it. Each
local defect is the first, counting seeds from 0, whose label covers 3 to 12 % of the image.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from flawsight.data import find_images, fingerprint, read_image
from flawsight.defects import Mask, Product, SyntheticDefect, estimate_product, foreground, make, read_textures
from flawsight.generation import Generator, sdas_pictures

STRENGTHS = (0.0, 0.1, 0.2, 0.5)
SHOWN = (0.03, 0.12)
WIDTH, GAP, LABEL = 192, 8, 22
Tile = tuple[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--product", default="cookie")
    parser.add_argument("--generator", type=Path)
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    paths = find_images(options.data / options.product / "train" / "good")
    images = [read_image(path) for path in paths]
    folder = options.generator or options.out.parent / f"generator-{options.product}"
    pictures = sdas_pictures(images, folder, Generator(steps=options.steps), count=16, stamp=fingerprint(paths))
    generator = Generator.load(folder)
    textures = read_textures(options.data / "dtd_textures", seed=0)
    small = cv2.resize(images[0], (generator.card_.side,) * 2, interpolation=cv2.INTER_AREA)
    first_row = [("a good image", small), *strengths(generator)]
    sheet([*first_row, *local_defects(images, pictures, textures)]).quantize(256).save(options.out, optimize=True)
    print(f"quality {generator.card_.quality}: {options.out}")


def strengths(generator: Generator) -> list[Tile]:
    """One row: the same draw at rising strength."""
    return [(f"SDAS, s = {strength:g}", generator.sample(1, strength, seed=0)[0]) for strength in STRENGTHS]


def local_defects(
    images: Sequence[np.ndarray], pictures: Sequence[np.ndarray], textures: Sequence[np.ndarray]
) -> list[Tile]:
    """Two rows: the first good image and defects on it, then the same with their labels outlined."""
    product: Product = estimate_product(images)
    kinds: dict[str, SyntheticDefect] = {
        "SDAS, local": make("sdas", product=product, pictures=pictures),
        "textures (DTD)": make("perlin", product=product, textures=textures),
        "NSA": make("nsa", product=product),
        "CutPaste": make("cutpaste"),
    }
    drawn = {name: first_shown(defect, images) for name, defect in kinds.items()}
    plain = [("a good image", images[0]), *((name, image) for name, (image, _) in drawn.items())]
    shown = outlined(images[0], foreground(images[0], product))
    labelled = [(f"{name}: label", outlined(*pair)) for name, pair in drawn.items()]
    return [*plain, ("where defects may lie", shown), *labelled]


def first_shown(defect: SyntheticDefect, images: Sequence[np.ndarray]) -> tuple[np.ndarray, Mask]:
    for seed in count():
        image, mask = defect(images[0], np.random.default_rng(seed), images[1:])
        if SHOWN[0] < mask.mean() < SHOWN[1]:
            return image, mask
    raise AssertionError


def outlined(image: np.ndarray, mask: Mask) -> np.ndarray:
    shapes, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(image.copy(), shapes, -1, (255, 0, 255), max(2, image.shape[1] // 150))


def sheet(tiles: Sequence[Tile], columns: int = 1 + len(STRENGTHS)) -> Image.Image:
    """Tiles in rows, each under its name, all of the shape of the last."""
    shape = tiles[-1][1].shape
    height = round(WIDTH * shape[0] / shape[1])
    rows = -(-len(tiles) // columns)
    size = (GAP + columns * (WIDTH + GAP), GAP + rows * (LABEL + height + GAP))
    page = Image.new("RGB", size, "white")
    font, draw = ImageFont.load_default(14), ImageDraw.Draw(page)
    for place, (name, image) in enumerate(tiles):
        left, top = GAP + place % columns * (WIDTH + GAP), GAP + place // columns * (LABEL + height + GAP)
        draw.text((left, top), name, "black", font)
        grown = Image.fromarray(image).resize((WIDTH, height), Image.Resampling.BICUBIC)
        page.paste(grown, (left, top + LABEL))
    return page


if __name__ == "__main__":
    main()
