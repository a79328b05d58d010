"""How small a defect may be: round spots of known size on made textures, shrunk 4 times to the network's 256 pixels.

python -m benchmarks.small_defects
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import flawsight as fs
from flawsight.metrics import auroc

SIDE, SHRUNK = 1024, 4
SIZES = (1, 1.5, 2, 3, 4, 6, 8, 12)
LAYERS = ("blocks.1.0.*", "blocks.2.0.*", "blocks.4.0.*")


def texture(seed: int) -> np.ndarray:
    """A good part: fine noise over stripes whose place varies, RGB uint8."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 1.2)
    grey = 130 + 70 * fine + 18 * np.sin(np.arange(SIDE)[:, None] / 3 + rng.uniform(0, 6))
    return np.clip(grey[..., None] * np.array([1.0, 0.94, 0.82]), 0, 255).astype(np.uint8)


def spotted(image: np.ndarray, across: int, contrast: int, seed: int) -> np.ndarray:
    """The part with a dark round spot somewhere."""
    rng, image = np.random.default_rng(seed), image.astype(float)
    row, column = rng.integers(20, SIDE - 20 - across, 2)
    rows, columns = np.mgrid[:across, :across] - (across - 1) / 2
    place = image[row : row + across, column : column + across]
    place[rows**2 + columns**2 <= (across / 2) ** 2] -= contrast
    return np.clip(image, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, default=30, help="pictures to learn from")
    parser.add_argument("--test", type=int, default=20, help="pictures to tell apart")
    options = parser.parse_args()
    print("stride, contrast, AU-ROC of spots so many pixels of the network's input across:", *SIZES)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.good):
            Image.fromarray(texture(seed)).save(Path(folder) / f"{seed}.png")
        test = [texture(1000 + seed) for seed in range(options.test)]
        for layers in LAYERS:
            inspector = fs.fit(folder, image_size=SIDE // SHRUNK, layers=layers, device="cpu", defects="simple", fuse=1)
            good = [result.score for result in inspector.inspect_many(test)]
            for contrast in (60, 110):
                found = []
                for size in SIZES:
                    bad = [spotted(image, round(size * SHRUNK), contrast, seed) for seed, image in enumerate(test)]
                    scores = [result.score for result in inspector.inspect_many(bad)]
                    found.append(auroc([*good, *scores], [0] * len(good) + [1] * len(scores)))
                stride = inspector.manifest.extractor.layers[0].stride
                print(f"{stride:g}", contrast, *(f"{100 * value:.0f}" for value in found), flush=True)


if __name__ == "__main__":
    main()
