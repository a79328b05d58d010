"""A data set of synthetic defects on disk, so that people can look at them or test with them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flawsight.core import (
    FlawsightError,
    Progress,
    default_progress,
    readable,
    safe_name,
    same_name,
    writable_folder,
    written_whole,
)
from flawsight.data import read_image, split_good
from flawsight.defects import (
    SyntheticDefect,
    apply_defects,
    defect_kinds,
    described_product,
    foreground_preview,
    make,
)
from flawsight.defects.foreground import PREVIEW
from flawsight.pipeline.defect_sources import defect_sources
from flawsight.pipeline.load_images import check_images, find_good, learned_pixels
from flawsight.settings import SynthesizeSettings

MANIFEST = "synthetic.csv"
GENERATOR = "generator"
PARTS = ("train", "test", "ground_truth", PREVIEW)
_SOURCES = 16


@dataclass(frozen=True, eq=False)
class _Writer:
    """Writes the parts of the data set in `out`, and notes what it wrote for the table."""

    out: Path
    names: Sequence[str]
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def good(self, part: str, index: int, image: np.ndarray) -> None:
        path = _write(self.out / part / f"{self.names[index]}.png", image)
        self.rows.append((self._place(path), part, "", ""))

    def bad(self, kind: str, name: str, image: np.ndarray, mask: np.ndarray, strength: str) -> None:
        path = _write(self.out / "test" / kind / f"{name}.png", image)
        drawn = np.where(mask, np.uint8(255), np.uint8(0))
        truth = _write(self.out / "ground_truth" / kind / f"{name}_mask.png", drawn)
        self.rows.append((self._place(path), f"test/{kind}", self._place(truth), strength))

    def table(self, seed: int) -> None:
        with written_whole(self.out / MANIFEST) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("image", "part", "mask", "seed", "strength"))
            writer.writerows((path, part, mask, seed, strength) for path, part, mask, strength in self.rows)

    def _place(self, path: Path) -> str:
        return readable(path.relative_to(self.out))


def synthesize(
    good: str | Path | Sequence[str | Path], out: str | Path, *, progress: Progress | None = None, **options: Any
) -> dict[str, Any]:
    """Write train/good, test/good, test/KIND and ground_truth/KIND as MVTec AD does, split as the search splits.

    Images keep their size; defects are as the seed says, and `foreground.png` shows where they may lie. `options` are
    those of the command, by name (`flawsight.settings.SynthesizeSettings` lists them). Returns what was written.

    >>> written = fs.synthesize(good, tmp, defects="scratch", count=5)
    >>> written["train"], written["good"], written["kinds"]
    (7, 2, {'scratch': 5})
    >>> fs.data.open_dataset(tmp)
    Dataset(mvtec at '...': 7 train, 7 test; 9 good, 5 defective; with masks)
    """
    images = good if isinstance(good, str | Path) else tuple(Path(path) for path in good)
    return run_synthesize(SynthesizeSettings.of({"good": images, "out": out, **options}), progress)


def run_synthesize(settings: SynthesizeSettings, progress: Progress | None = None) -> dict[str, Any]:
    """`synthesize` with these settings.

    >>> settings = fs.settings.SynthesizeSettings(good=good, out=tmp, defects="nsa,scratch")
    >>> run_synthesize(settings)["kinds"]
    {'nsa': 3, 'scratch': 3}
    """
    progress, out = progress or default_progress(), settings.out
    kinds = defect_kinds(settings.defects)
    paths, notes, skipped = find_good(settings, settings.good)
    split = split_good(len(paths), settings.seed)
    _check(out, paths, settings.overwrite)
    training = [paths[i] for i in split.train]
    pixels = learned_pixels(paths, settings)

    def image_of(index: int) -> np.ndarray:
        return read_image(paths[index], settings.max_pixels, pixels)

    check_images(paths, image_of, progress)
    # Before anything is removed: an interrupted training goes on when the same command is given again.
    recipe = defect_sources(settings, kinds, training, pixels, progress, generator=out / GENERATOR)
    with _whole(out):
        sources = [image_of(index) for index in split.train[:_SOURCES]]
        product = described_product(sources, settings.seed, settings.texture, settings.foreground)
        concerns = [*notes, *pixels.concerns, *recipe.concerns, foreground_preview(sources, product, out / PREVIEW)]
        bad = _rounds([int(index) for index in split.val_bad], settings.count)
        writer = _Writer(out, _names(paths))
        total = len(split.train) + len(split.val_good) + len(kinds) * len(bad)
        with progress.stage("Writing images", total) as advance:
            for part, indices in (("train/good", split.train), ("test/good", split.val_good)):
                for index in indices:
                    writer.good(part, index, image_of(index))
                    advance(1)
            for kind in kinds:
                defect = make(kind, product=product, **recipe.parameters.get(kind, {}))
                for number, place in enumerate(bad):
                    _write_bad(writer, settings, image_of, defect, kind, number, place, sources)
                    advance(1)
        writer.table(settings.seed)
    return {
        "out": str(out),
        "kinds": {kind: len(bad) for kind in kinds},
        "good": len(split.val_good),
        "train": len(split.train),
        "product": product.to_dict(),
        "foreground": str(out / PREVIEW),
        "warnings": [concern for concern in concerns if concern],
        "skipped": [{"path": str(one.path), "reason": one.reason} for one in skipped],
        "seed": settings.seed,
    }


def _write_bad(
    writer: _Writer,
    settings: SynthesizeSettings,
    image_of: Callable[[int], np.ndarray],
    defect: SyntheticDefect,
    kind: str,
    number: int,
    place: tuple[int, int],
    sources: Sequence[np.ndarray],
) -> None:
    """One defective image: of large ones not all can be held together, so that each has its own seed."""
    index, turn = place
    image = image_of(index)
    chance = f"{kind}-{index}-{turn}" if turn else f"{kind}-{index}"
    images, masks = apply_defects([image], defect, kind=chance, seed=settings.seed, sources=sources)
    name = writer.names[index] if settings.count is None else f"{number:05d}_{writer.names[index]}"
    low, high = settings.strength
    strength = "" if kind != "sdas" else f"{low:g}" if low == high else f"{low:g}:{high:g}"
    writer.bad(kind, name, images[0], masks[0], strength)


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


@contextmanager
def _whole(out: Path) -> Iterator[None]:
    """Make room in a checked `out`; where the block fails, nothing of what it wrote stays."""
    _clear(out)
    try:
        (out / MANIFEST).touch()
        yield
    except BaseException as error:
        _clear(out)
        if isinstance(error, OSError):
            raise FlawsightError(f"cannot write to '{out}' ({error.strerror}): is the disk full?") from error
        raise


def _clear(out: Path) -> None:
    """Remove what an earlier call wrote into a checked `out`, but for its generator."""
    for path in (out / part for part in (*PARTS, MANIFEST)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _names(paths: list[Path]) -> list[str]:
    """A file name for each image: its stem, or all stems numbered where two images share one."""
    stems = [safe_name(path.stem) for path in paths]
    are_different = len({same_name(stem) for stem in stems}) == len(stems)
    return stems if are_different else [f"{stem}_{place}" for place, stem in enumerate(stems)]


def _write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
