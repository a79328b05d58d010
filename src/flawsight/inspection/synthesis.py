"""A data set of synthetic defects on disk, so that people can look at them or test with them."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flawsight.data import MAX_PIXELS, good_images, read_image, split_good
from flawsight.defects import apply_defects, estimate_product, make
from flawsight.errors import FlawsightError
from flawsight.inspection.bundle import writable_folder
from flawsight.progress import Progress, default_progress
from flawsight.selection import defect_kinds

MANIFEST = "synthetic.csv"
PARTS = ("train", "test", "ground_truth")
_SOURCES = 16


def synthesize_dataset(
    good: str | Path,
    out: str | Path,
    defects: str = "nsa",
    seed: int = 0,
    layout: str = "auto",
    category: str | None = None,
    *,
    texture: bool | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write train/good, test/good, test/KIND and ground_truth/KIND as MVTec AD does, split as the search splits.

    Images keep their size; defects are as `seed` says. `texture` overrides the estimate of what the product is.
    """
    out = Path(out)
    kinds = defect_kinds(defects)
    paths = sorted(good_images(good, layout, category))
    split = split_good(len(paths), seed)
    _clear(out, paths, overwrite)
    sources = [read_image(paths[i], max_pixels) for i in split.train[:_SOURCES]]
    product = estimate_product(sources, seed=seed)
    if texture is not None:
        product = replace(product, texture=texture)
    names = _names(paths)
    rows = []
    total = len(split.train) + len(split.val_good) + len(kinds) * len(split.val_bad)
    with (progress or default_progress()).stage("Writing images", total) as advance:
        for folder, indices in (("train/good", split.train), ("test/good", split.val_good)):
            for index in indices:
                written = _write(out / folder / f"{names[index]}.png", read_image(paths[index], max_pixels))
                rows.append((written, folder, ""))
                advance(1)
        for kind in kinds:
            defect = make(kind, product=product)
            for index in split.val_bad:
                # One image at a time, each with its own seed: large images need not be held together.
                image = read_image(paths[index], max_pixels)
                images, masks = apply_defects([image], defect, kind=f"{kind}-{index}", seed=seed, sources=sources)
                written = _write(out / "test" / kind / f"{names[index]}.png", images[0])
                mask = np.where(masks[0], np.uint8(255), np.uint8(0))
                truth = _write(out / "ground_truth" / kind / f"{names[index]}_mask.png", mask)
                rows.append((written, f"test/{kind}", str(truth.relative_to(out))))
                advance(1)
    with (out / MANIFEST).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "part", "mask", "seed"))
        writer.writerows((str(path.relative_to(out)), part, mask, seed) for path, part, mask in rows)
    return {
        "out": str(out),
        "kinds": {kind: len(split.val_bad) for kind in kinds},
        "good": len(split.val_good),
        "train": len(split.train),
        "product": product.to_dict(),
        "seed": seed,
    }


def _clear(out: Path, paths: list[Path], overwrite: bool) -> None:
    """Make `out` ready. Only what an earlier call wrote is ever removed, and never what is to be read now."""
    is_ours = (out / MANIFEST).exists()
    if is_ours and not overwrite:
        raise FlawsightError(f"'{out}' already holds a synthetic data set: choose another --out, or add --overwrite")
    taken = [part for part in PARTS if (out / part).exists()]
    if taken and not is_ours:
        raise FlawsightError(f"'{out}' holds a folder '{taken[0]}' that is not from here: choose another --out")
    if taken and any(path.resolve().is_relative_to(out.resolve()) for path in paths):
        raise FlawsightError(f"'{out}' holds the very images to read: choose another --out")
    writable_folder(out)
    for part in taken:
        shutil.rmtree(out / part)
    (out / MANIFEST).touch()


def _names(paths: list[Path]) -> list[str]:
    """A file name for each image: its stem, or all stems numbered where two images share one."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [f"{stem}_{place}" for place, stem in enumerate(stems)]


def _write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
