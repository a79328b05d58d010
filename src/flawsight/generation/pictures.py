"""Anomalous pictures of a product for others to blend in: trained once, made once, kept in a folder."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from flawsight.data import read_image
from flawsight.detectors.engine.training import Training
from flawsight.errors import FlawsightError
from flawsight.generation.description import DESCRIPTION, Description, Settings, read_description
from flawsight.generation.generator import Generator
from flawsight.generation.networks import find_preset
from flawsight.generation.sampling import check_sampling
from flawsight.progress import Progress, default_progress

PICTURES = "pictures"
_INDEX = "pictures.json"
_CHECKPOINT = "training"


class _Index(BaseModel):
    """What pictures lie in the folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: Settings
    strength: tuple[float, float]
    steps: int
    seed: int
    count: int


def sdas_pictures(
    images: Sequence[np.ndarray],
    folder: str | Path,
    *,
    count: int = 64,
    strength: float | tuple[float, float] = (0.1, 0.2),
    preset: str = "small",
    steps: int | None = None,
    seed: int = 0,
    stamp: str = "",
    progress: Progress | None = None,
    device: str = "auto",
) -> list[np.ndarray]:
    """`count` pictures (side, side, 3) uint8 RGB of a generator of these good images (H, W, 3), of any sizes.

    The generator in `folder` is used if it learned from the same images with the same settings, `stamp` among them,
    else one is trained there for `steps`; an interrupted training goes on. Pictures are kept in `folder/pictures`.
    Warns, with the figure, where the generator is bad.
    """
    check_sampling(strength)  # before a long training
    description = trained(images, folder, preset, steps, seed, stamp, progress, device)
    if description.concern:
        warnings.warn(description.concern, stacklevel=2)
    return pictures_of(folder, count, strength, seed, progress, device)


def trained(
    images: Sequence[np.ndarray],
    folder: str | Path,
    preset: str = "small",
    steps: int | None = None,
    seed: int = 0,
    stamp: str = "",
    progress: Progress | None = None,
    device: str = "auto",
) -> Description:
    """Make sure that `folder` holds the generator of these images and settings, and describe it."""
    folder = Path(folder)
    generator = Generator(preset, steps, seed=seed, device=device)
    settings = generator.settings(images, stamp)
    try:
        description = read_description(folder)
        if description.settings == settings:
            return description
    except FlawsightError:
        pass  # nothing there that can be used: it is made now
    ours = {DESCRIPTION, _CHECKPOINT}
    if folder.is_dir() and (names := {path.name for path in folder.iterdir()}) and not names & ours:
        raise FlawsightError(f"'{folder}' holds other things than a generator: choose an empty folder, or a new one")
    name = sha256(settings.model_dump_json().encode()).hexdigest()[:12]
    checkpoint = folder / _CHECKPOINT / name
    _writable(checkpoint)
    done = 0.0
    with (progress or default_progress()).stage("Training the generator", settings.steps) as advance:

        def tell(share: float) -> None:
            nonlocal done
            before, done = round(done * settings.steps), done + share
            advance(round(done * settings.steps) - before)

        generator.fit(images, Training(checkpoint, tell), stamp)
    generator.save(folder)
    if (checkpoint / "samples").exists():
        shutil.rmtree(folder / "samples", ignore_errors=True)
        (checkpoint / "samples").replace(folder / "samples")
    shutil.rmtree(folder / _CHECKPOINT)
    return generator.description_


def pictures_of(
    folder: str | Path,
    count: int,
    strength: float | tuple[float, float] = (0.1, 0.2),
    seed: int = 0,
    progress: Progress | None = None,
    device: str = "auto",
) -> list[np.ndarray]:
    """Pictures 0 to count - 1 of the generator in `folder`, read where they were made before."""
    folder = Path(folder)
    bounds = check_sampling(strength)
    settings = read_description(folder).settings
    found = _found(folder, settings, bounds, seed)[:count]
    if len(found) == count:
        return found
    generator = Generator.load(folder, device)
    with (progress or default_progress()).stage("Making anomalous pictures", count - len(found)) as advance:
        found += generator.sample(count - len(found), bounds, seed, first=len(found), advance=advance)
    place = folder / PICTURES
    shutil.rmtree(place, ignore_errors=True)
    _writable(place)
    for number, picture in enumerate(found):
        Image.fromarray(picture).save(place / f"{number:05d}.png")
    steps = find_preset(settings.preset).sampling_steps
    index = _Index(settings=settings, strength=bounds, steps=steps, seed=seed, count=count)
    (place / _INDEX).write_text(index.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return found


def _found(folder: Path, settings: Settings, strength: tuple[float, float], seed: int) -> list[np.ndarray]:
    """The pictures made before with the same settings, none where there are not."""
    place = folder / PICTURES
    steps = find_preset(settings.preset).sampling_steps
    try:
        index = _Index.model_validate_json((place / _INDEX).read_text(encoding="utf-8"))
        if index != _Index(settings=settings, strength=strength, steps=steps, seed=seed, count=index.count):
            return []
        return [read_image(place / f"{number:05d}.png") for number in range(index.count)]
    except (OSError, ValidationError, UnicodeDecodeError, FlawsightError):
        return []


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlawsightError(f"cannot write to '{folder}': {error.strerror}; choose another folder") from error
