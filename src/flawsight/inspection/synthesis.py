"""A data set of synthetic defects on disk, so that people can look at them or test with them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flawsight.data import MAX_PIXELS, good_images, read_image, split_good
from flawsight.defects import Product, apply_defects, estimate_product, make
from flawsight.errors import FlawsightError
from flawsight.inspection.bundle import writable_folder
from flawsight.inspection.foreground import PREVIEW, Foreground, preview, with_foreground
from flawsight.progress import Progress, default_progress
from flawsight.selection import defect_kinds

MANIFEST = "synthetic.csv"
GENERATOR = "generator"
PARTS = ("train", "test", "ground_truth", PREVIEW)
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
    foreground: Foreground = "auto",
    textures: str | Path | None = None,
    strength: float | tuple[float, float] = (0.1, 0.2),
    generator: str | Path | None = None,
    generator_preset: str = "small",
    generator_steps: int | None = None,
    count: int | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write train/good, test/good, test/KIND and ground_truth/KIND as MVTec AD does, split as the search splits.

    Images keep their size; defects are as `seed` says, and `foreground.png` shows where they may lie. `texture` and
    `foreground` override the estimate of what the product is. `textures` is a folder for the kind `perlin`; `strength`
    and the generator's folder (default: `generator` in `out`), preset and steps are for `sdas`. `count` makes so many
    images of each kind, in rounds over the split's good images.
    """
    out = Path(out)
    kinds = defect_kinds(defects)
    paths = sorted(good_images(good, layout, category))
    split = split_good(len(paths), seed)
    with_foreground(Product(), foreground)  # a mistake is told before anything is made
    _check(out, paths, overwrite)
    if count is not None and count < 1:
        raise FlawsightError(f"the number of images of each kind must be at least 1, got {count}")
    training = [paths[i] for i in split.train]
    parameters: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
    concerns = []
    # Imported where needed: what generates is slow to load.
    if textures is not None:
        if "perlin" not in kinds:
            raise FlawsightError("textures are for the kind 'perlin': add it to --defects, or leave --textures out")
        from flawsight.inspection.material import read_textures

        parameters["perlin"]["textures"] = read_textures(textures, seed, max_pixels)
    if "sdas" in kinds:
        from flawsight.inspection.material import sdas_material

        # Before anything is removed: an interrupted training goes on when the same command is given again.
        parameters["sdas"]["pictures"], description = sdas_material(
            training,
            Path(generator) if generator is not None else out / GENERATOR,
            strength=strength,
            preset=generator_preset,
            steps=generator_steps,
            seed=seed,
            max_pixels=max_pixels,
            progress=progress,
        )
        concerns.append(description.concern)
    _clear(out)
    sources = [read_image(path, max_pixels) for path in training[:_SOURCES]]
    product = with_foreground(estimate_product(sources, seed=seed), foreground)
    if texture is not None:
        product = replace(product, texture=texture)
    concerns.append(preview(sources, product, out / PREVIEW))
    names = _names(paths)
    bad = list(_rounds([int(index) for index in split.val_bad], count))
    rows = []
    total = len(split.train) + len(split.val_good) + len(kinds) * len(bad)
    with (progress or default_progress()).stage("Writing images", total) as advance:
        for folder, indices in (("train/good", split.train), ("test/good", split.val_good)):
            for index in indices:
                written = _write(out / folder / f"{names[index]}.png", read_image(paths[index], max_pixels))
                rows.append((written, folder, "", ""))
                advance(1)
        for kind in kinds:
            defect = make(kind, product=product, **parameters[kind])
            for number, (index, turn) in enumerate(bad):
                # One image at a time, each with its own seed: large images need not be held together.
                image = read_image(paths[index], max_pixels)
                chance = f"{kind}-{index}-{turn}" if turn else f"{kind}-{index}"
                images, masks = apply_defects([image], defect, kind=chance, seed=seed, sources=sources)
                name = names[index] if count is None else f"{number:05d}_{names[index]}"
                written = _write(out / "test" / kind / f"{name}.png", images[0])
                mask = np.where(masks[0], np.uint8(255), np.uint8(0))
                truth = _write(out / "ground_truth" / kind / f"{name}_mask.png", mask)
                said = ":".join(f"{value:g}" for value in np.atleast_1d(strength)) if kind == "sdas" else ""
                rows.append((written, f"test/{kind}", str(truth.relative_to(out)), said))
                advance(1)
    with (out / MANIFEST).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "part", "mask", "seed", "strength"))
        writer.writerows((str(path.relative_to(out)), part, mask, seed, said) for path, part, mask, said in rows)
    return {
        "out": str(out),
        "kinds": {kind: len(bad) for kind in kinds},
        "good": len(split.val_good),
        "train": len(split.train),
        "product": product.to_dict(),
        "foreground": str(out / PREVIEW),
        "warnings": [concern for concern in concerns if concern],
        "seed": seed,
    }


def _rounds(indices: Sequence[int], count: int | None) -> list[tuple[int, int]]:
    """Which image and in which round: each image once, or `count` in turn."""
    if count is None:
        return [(index, 0) for index in indices]
    return [(index, place // len(indices)) for place, index in enumerate(islice(cycle(indices), count))]


def _check(out: Path, paths: list[Path], overwrite: bool) -> None:
    """Refuse an `out` that holds what an earlier call did not write, or what is to be read now."""
    is_ours = (out / MANIFEST).exists()
    if is_ours and not overwrite:
        raise FlawsightError(f"'{out}' already holds a synthetic data set: choose another --out, or add --overwrite")
    taken = [part for part in PARTS if (out / part).exists()]
    if taken and not is_ours:
        raise FlawsightError(f"'{out}' holds '{taken[0]}' that is not from here: choose another --out")
    if taken and any(path.resolve().is_relative_to(out.resolve()) for path in paths):
        raise FlawsightError(f"'{out}' holds the very images to read: choose another --out")
    writable_folder(out)


def _clear(out: Path) -> None:
    """Remove what an earlier call wrote into a checked `out`, but for its generator."""
    for path in (out / part for part in PARTS):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (out / MANIFEST).touch()


def _names(paths: list[Path]) -> list[str]:
    """A file name for each image: its stem, or all stems numbered where two images share one."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [f"{stem}_{place}" for place, stem in enumerate(stems)]


def _write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
