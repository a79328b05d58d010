"""Makes the test vectors beside this file: small pictures, and the squares and maps that Flawsight makes of them.

`python docs/test-vectors/make.py` writes them all again; docs/bundle.md says what they are for.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flawsight.data import read_image
from flawsight.regions import find_regions
from flawsight.views import Frame, RegionOfInterest, View, resize_image

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
VIEWS = {
    "whole": ("shrinks.png", View("whole", SIDE), False),
    "whole-grows": ("grows.png", View("whole", SIDE), False),
    "whole-region": ("shrinks-evenly.png", View("whole", SIDE), True),
    "tiles": ("shrinks-evenly.png", View("tiles", SIDE), False),
    "tiles-shrink": ("shrinks-evenly.png", View("tiles", SIDE, 80, 0.25), False),
    "tiles-grow": ("one-axis-each.png", View("tiles", SIDE, 30, 0.1), False),
    "tiles-region": ("shrinks-evenly.png", View("tiles", SIDE, 80, 0.25), True),
    "squash-region": ("shrinks-evenly.png", View("squash", SIDE), True),
}
"""The picture, the view, and whether only a region of interest is inspected."""
REGION = "region.png"
TIMES = 1000
"""Joined maps are kept as whole numbers of 16 bits, so many times their values."""


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


def region() -> RegionOfInterest:
    """A slanted shape with a hole, of pictures like shrinks-evenly.png."""
    width, height = SIZES["shrinks-evenly.png"]
    y, x = np.mgrid[:height, :width]
    return RegionOfInterest((x > 20 + y // 4) & (x < 100) & (y > 30) & (y < 150) & ((x - 80) ** 2 + (y - 60) ** 2 > 90))


def numbered_maps(frame: Frame) -> list[np.ndarray]:
    """Maps of a frame's squares that say which square they are, and rise a little to the right and downwards."""
    rise = np.add.outer(np.arange(frame.side), np.arange(frame.side)) / np.float32(16 * frame.side)
    return [(number + rise).astype(np.float32) for number in range(1, frame.tiles + 1)]


def vector_of(name: str) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """What a view does to a picture: its row in the list, the squares one below the other, and the joined map."""
    picture, view, has_region = VIEWS[name]
    image = read_image(FOLDER / picture)
    frame = view.frame(image.shape[:2], region() if has_region else None)
    squares = np.concatenate(list(frame.cut(image)))
    joined = frame.join(numbered_maps(frame))
    score = frame.peak(joined)
    left, top, width, height = frame.box
    threshold = round(0.9 * score, 3)
    row = {
        "name": name,
        "picture": picture,
        "view": asdict(view),
        "region": REGION if has_region else "",
        "box": [left, top, width, height],
        "working": list(frame.working),
        "origins": [list(origin) for origin in frame.origins],
        "inspected": frame.working[0] * frame.working[1] if frame.inside is None else int(frame.inside.sum()),
        "squares": f"{name}.{SIDE}.png",
        "sha256": hashlib.sha256(squares.tobytes()).hexdigest(),
        "joined": f"{name}.joined.png",
        "score": score,
        "threshold": threshold,
        "mm_per_pixel": 0.05,
        "regions": [one.to_dict() for one in find_regions(joined, threshold, (height, width), 0.05, (left, top))],
    }
    return row, squares, np.rint(joined * TIMES).astype(np.uint16)


def main() -> None:
    """Write pictures, squares, joined maps and the list."""
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
    Image.fromarray(region().mask).save(FOLDER / REGION)
    views = []
    for name in VIEWS:
        row, squares, joined = vector_of(name)
        Image.fromarray(squares).save(FOLDER / row["squares"])
        Image.fromarray(joined).save(FOLDER / row["joined"])
        views.append(row)
    text = json.dumps({"side": SIDE, "vectors": rows, "times": TIMES, "views": views}, indent=2)
    (FOLDER / "vectors.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
