"""Anomalous pictures of a product for others to blend in: trained once, made once, kept in a folder."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError
from sklearn.base import clone

from flawsight.core import (
    FlawsightError,
    Progress,
    cache_key,
    default_progress,
    writable_folder,
    write_whole,
    written_whole,
)
from flawsight.data import read_image
from flawsight.data.own_output import mark_output
from flawsight.generation.card import CARD, GeneratorCard, Settings, read_card
from flawsight.generation.generator import Generator
from flawsight.generation.networks import find_preset
from flawsight.generation.sampling import check_sampling
from flawsight.training import TrainingContext

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
    generator: Generator | None = None,
    *,
    count: int = 64,
    strength: float | tuple[float, float] = (0.1, 0.2),
    stamp: str = "",
    progress: Progress | None = None,
) -> list[np.ndarray]:
    """`count` pictures (side, side, 3) uint8 RGB of a generator of these good images (H, W, 3), of any sizes.

    The one in `folder` is used if it learned from the same images as `generator` would, under the same `stamp`; else
    `generator` is trained there; an interrupted training goes on. Pictures are kept in `folder/pictures`. Warns, with
    the figure, where the generator is bad.

    >>> pictures = sdas_pictures(images, tmp, Generator(steps=2), count=2)
    >>> fs.defects.make("sdas", pictures=pictures)(images[0], np.random.default_rng(0), images[1:])[1].shape
    (64, 80)
    """
    generator = generator or Generator()
    check_sampling(strength)  # before a long training
    card = ensure_trained(images, folder, generator, stamp, progress)
    if card.concern:
        warnings.warn(card.concern, stacklevel=2)
    return load_or_sample(folder, count, strength, generator.seed, progress, generator.device)


def ensure_trained(
    images: Sequence[np.ndarray],
    folder: str | Path,
    generator: Generator,
    stamp: str = "",
    progress: Progress | None = None,
) -> GeneratorCard:
    """Make sure that `folder` holds `generator` trained on these images, and describe it.

    >>> card = ensure_trained(images, tmp, Generator(steps=2))
    >>> card.images, sorted(path.name for path in tmp.glob("*.*"))
    (12, ['generator.json', 'generator.safetensors'])
    """
    folder = Path(folder)
    settings = generator.settings(images, stamp)
    with suppress(FlawsightError):  # nothing there that can be used: it is made now
        card = read_card(folder)
        if card.settings == settings:
            return card
    ours = {CARD, _CHECKPOINT}
    if folder.is_dir() and (names := {path.name for path in folder.iterdir()}) and not names & ours:
        raise FlawsightError(f"'{folder}' holds other things than a generator: choose an empty folder, or a new one")
    checkpoint = writable_folder(folder / _CHECKPOINT / cache_key(settings.model_dump_json()))
    mark_output(folder / _CHECKPOINT, checkpoint.name)
    done = 0.0
    with (progress or default_progress()).stage("Training the generator", settings.steps) as advance:

        def tell(share: float) -> None:
            nonlocal done
            before, done = round(done * settings.steps), done + share
            advance(round(done * settings.steps) - before)

        trained = clone(generator).fit(images, TrainingContext(checkpoint, tell), stamp)
    trained.save(folder)
    if (checkpoint / "samples").exists():
        shutil.rmtree(folder / "samples", ignore_errors=True)
        (checkpoint / "samples").replace(folder / "samples")
    shutil.rmtree(folder / _CHECKPOINT)
    return trained.card_


def load_or_sample(
    folder: str | Path,
    count: int,
    strength: float | tuple[float, float] = (0.1, 0.2),
    seed: int = 0,
    progress: Progress | None = None,
    device: str = "auto",
) -> list[np.ndarray]:
    """Pictures 0 to count - 1 of the generator in `folder`, read where they were made before.

    >>> pictures = load_or_sample(generator, count=2)
    >>> pictures[0].shape, len(list(generator.glob("pictures/*.png")))
    ((64, 64, 3), 2)
    """
    folder = Path(folder)
    bounds = check_sampling(strength)
    settings = read_card(folder).settings
    found = _found(folder, settings, bounds, seed)[:count]
    if len(found) == count:
        return found
    generator = Generator.load(folder, device)
    with (progress or default_progress()).stage("Making anomalous pictures", count - len(found)) as advance:
        found += generator.sample(count - len(found), bounds, seed, first=len(found), advance=advance)
    place = folder / PICTURES
    shutil.rmtree(place, ignore_errors=True)
    writable_folder(place)
    for number, picture in enumerate(found):
        with written_whole(place / f"{number:05d}.png") as partial:
            Image.fromarray(picture).save(partial, "PNG")
    steps = find_preset(settings.preset).sampling_steps
    index = _Index(settings=settings, strength=bounds, steps=steps, seed=seed, count=count)
    write_whole(place / _INDEX, index.model_dump_json(indent=2) + "\n")
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
