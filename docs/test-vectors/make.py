"""Makes the test vectors beside this file: small pictures, and the squares that Flawsight makes of them.

`python docs/test-vectors/make.py` writes them all again; docs/bundle.md says what they are for.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from flawsight.data import read_image
from flawsight.views import resize_image

FOLDER = Path(__file__).parent
SIDE = 64
SIZES = {
    "shrinks.png": (97, 83),
    "shrinks-evenly.png": (128, 192),
    "grows.png": (50, 41),
    "one-axis-each.png": (150, 33),
    "grey.png": (90, 71),
    "turned.jpg": (75, 130),
}
"""Width and height as stored; the last is turned by EXIF."""


def picture(width: int, height: int, seed: int) -> np.ndarray:
    """Waves, an edge and noise, RGB."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (3 + k) + k) + np.cos(y / (5 - k) + seed) for k in range(3)]
    grey = 128 + 45 * np.stack(waves, axis=-1) + 30 * (x > y)[..., None]
    grey += np.random.default_rng(seed).normal(0, 4, grey.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)


def square_of(name: str) -> np.ndarray:
    """The square that Flawsight makes of a picture in this folder, RGB."""
    return resize_image(read_image(FOLDER / name), SIDE)


def main() -> None:
    """Write pictures, squares and the list."""
    rows = []
    for seed, (name, (width, height)) in enumerate(SIZES.items()):
        image = Image.fromarray(picture(width, height, seed))
        exif = Image.Exif()
        if name == "turned.jpg":
            exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
        (image.convert("L") if name == "grey.png" else image).save(FOLDER / name, quality=95, exif=exif)
        square, file = square_of(name), f"{Path(name).stem}.{SIDE}.png"
        Image.fromarray(square).save(FOLDER / file)
        rows.append({"picture": name, "square": file, "sha256": hashlib.sha256(square.tobytes()).hexdigest()})
    text = json.dumps({"side": SIDE, "vectors": rows}, indent=2)
    (FOLDER / "vectors.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
