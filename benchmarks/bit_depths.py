"""Do pictures of 12 and 10 bits find the same defects as the same pictures in 8 bits?

    python -m benchmarks.bit_depths --data DATA

Pictures of each product are written again as cameras of other depths give them, into 16-bit PNG and TIFF: shifted, or
scaled to the whole range. One inspector is learned from each, and measured on the product's test images.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

import flawsight as fs
from flawsight.data import open_dataset, read_image

PRODUCTS = ("paper_pa_bft01_tl", "cookie")
SHOWN = ("auroc", "p_h", "aupro_0.30")


def shifted(image: np.ndarray, bits: int) -> np.ndarray:
    return image.astype(np.uint16) << (bits - 8)


def scaled(image: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(image / 255 * ((1 << bits) - 1)).astype(np.uint16)


def png(path: Path, values: np.ndarray) -> None:
    path.write_bytes(imagecodecs.png_encode(values))


def tiff(path: Path, values: np.ndarray) -> None:
    tifffile.imwrite(path, values, photometric="rgb", compression="zlib")


Write = Callable[[Path, np.ndarray], None]
WAYS: dict[str, tuple[int, Callable[[np.ndarray, int], np.ndarray], Write, str]] = {
    "12 bits, shifted, TIFF": (12, shifted, tiff, ".tif"),
    "12 bits, scaled, PNG": (12, scaled, png, ".png"),
    "10 bits, shifted, PNG": (10, shifted, png, ".png"),
    "10 bits, scaled, TIFF": (10, scaled, tiff, ".tif"),
}


def again(folder: Path, out: Path, way: str) -> Path:
    """The data set of a folder with its pictures at another depth; masks stay as they are."""
    bits, deepened, write, suffix = WAYS[way]
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.parent != folder):
        target = out / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if "ground_truth" in path.parts:
            shutil.copyfile(path, target)
        else:
            write(target.with_suffix(suffix), deepened(read_image(path), bits))
    return out


def figures(folder: Path, side: int) -> dict[str, float]:
    inspector = fs.fit(folder, image_size=side)
    pixels = inspector.manifest.data.pixels
    print(f"  read as: {pixels.text if pixels else ''}", flush=True)
    return fs.evaluate(inspector, open_dataset(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="Folder with a folder for each product.")
    parser.add_argument("--products", nargs="+", default=PRODUCTS)
    parser.add_argument("--image-size", type=int, default=128)
    options = parser.parse_args()
    print(f"| product | pictures | {' | '.join(SHOWN)} |\n|---|---|{'---|' * len(SHOWN)}", flush=True)
    for product in options.products:
        with tempfile.TemporaryDirectory() as scratch:
            for way in ("8 bits", *WAYS):
                folder = options.data / product
                if way in WAYS:
                    folder = again(folder, Path(scratch, way), way)
                found = figures(folder, options.image_size)
                print(f"| {product} | {way} | {' | '.join(f'{found[name]:.4f}' for name in SHOWN)} |", flush=True)


if __name__ == "__main__":
    main()
