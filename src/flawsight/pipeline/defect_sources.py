"""What kinds of defects are given beyond the good images: foreign textures, and a generator's pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flawsight.core import FlawsightError, Progress, cache_key
from flawsight.data import PixelFormat, fingerprint
from flawsight.defects import Image, apply_defects, defect_kinds, described_product, make, read_textures
from flawsight.detectors import AnomalySynthesis
from flawsight.features import Extractor
from flawsight.inference import BATCH
from flawsight.pipeline.load_images import GoodImages
from flawsight.selection.pictures import PlantedMasks, PlantedPictures, Planter
from flawsight.settings import DefectSettings
from flawsight.views import Chosen, ImageCache

PICTURES = 64
LOOKED_AT = 32
SHOWN = 4
MadeDefects = dict[str, tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]
"""Images with a synthetic defect and their masks, by kind."""


@dataclass(frozen=True, eq=False)
class DefectRecipe:
    """The kinds of defects, their parameters by kind, a digest of those, and what to mind about them.

    `about` describes the generator whose pictures were asked for, if any.
    """

    kinds: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources_digest: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    concerns: tuple[str, ...] = ()


def defect_sources(
    settings: DefectSettings,
    kinds: Sequence[str],
    paths: Sequence[Path],
    pixels: PixelFormat,
    progress: Progress,
    *,
    generator: Path | None = None,
    may_replace: bool = False,
) -> DefectRecipe:
    """`textures` for the kind `perlin`, and pictures for `sdas`, from a generator of the good images at these paths.

    A generator in the folder that the settings name is taken as it is; without one it is trained there. `generator` is
    where one is kept up to date if the settings name none. Where its pictures are useless, `perlin` takes the place of
    `sdas` if that `may_replace` it.
    """
    found: dict[str, dict[str, Any]] = {}
    if settings.textures is not None:
        _needed("perlin", kinds, "--textures")
        found["perlin"] = {"textures": read_textures(settings.textures, settings.seed, settings.max_pixels)}
    if "sdas" not in kinds:
        if settings.generator is not None:
            _needed("sdas", kinds, "--generator")
        return DefectRecipe(tuple(kinds), found, _digest(found))
    if settings.generator is None and generator is None:
        raise FlawsightError("the kind 'sdas' needs a generator: name a folder for it with --generator")
    from flawsight.generation import load_or_sample  # diffusers is slow to load

    folder = settings.generator or generator
    assert folder is not None
    card = _card(settings, folder, paths, pixels, progress)
    concerns = [card.concern] if card.concern else []
    if card.settings.stamp != fingerprint(paths) + pixels.key:
        concerns.append(f"the generator in '{folder}' learned from other images than these")
    if may_replace and card.is_useless:
        kinds = tuple(dict.fromkeys("perlin" if kind == "sdas" else kind for kind in kinds))
        concerns.append("instead of its pictures, other textures show through the defects (perlin)")
    else:
        made = load_or_sample(folder, PICTURES, settings.strength, settings.seed, progress, settings.device)
        found["sdas"] = {"pictures": made}
    return DefectRecipe(tuple(kinds), found, _digest(found), card.summary(), tuple(concerns))


def _card(
    settings: DefectSettings, folder: Path, paths: Sequence[Path], pixels: PixelFormat, progress: Progress
) -> Any:
    """What the generator in the folder is, once it is there."""
    from flawsight.generation import CARD, Generator, check_sampling, ensure_trained, find_preset, read_card

    check_sampling(settings.strength)  # before a long training
    if settings.generator is not None and (folder / CARD).exists():
        card = read_card(folder)
        asked = {"steps": settings.generator_steps} | (
            {"preset": settings.generator_preset} if settings.is_changed("generator_preset") else {}
        )
        for name, value in asked.items():
            if value is not None and value != getattr(card.settings, name):
                there = getattr(card.settings, name)
                raise FlawsightError(
                    f"the generator in '{folder}' is of {name} {there}, not {value}: leave --generator-{name} out to "
                    "take it, or name another folder to train one"
                )
        return card
    preset, steps = settings.generator_preset, settings.generator_steps
    images = ImageCache(paths, find_preset(preset).side, settings.max_pixels, pixels)
    generator = Generator(preset, steps, seed=settings.seed, device=settings.device)
    return ensure_trained(images, folder, generator, fingerprint(paths) + pixels.key, progress)


def anomaly_synthesis(
    extractor: Extractor, layers: Sequence[str], images: Sequence[Image], recipe: DefectRecipe, settings: DefectSettings
) -> AnomalySynthesis:
    """Defects of this recipe on this product, and the network that reads them."""
    extractor.prepare(layers)

    def network(pictures: Sequence[Image]) -> list[torch.Tensor]:
        together = BATCH if extractor.device.type == "cpu" else len(pictures)
        parts = [
            extractor.extract(pictures[start : start + together], layers) for start in range(0, len(pictures), together)
        ]
        return [torch.cat([part[layer] for part in parts]) for layer in layers]

    product = described_product(images[:LOOKED_AT], settings.seed, settings.texture, settings.foreground)
    kinds = [make(kind, product=product, **recipe.parameters.get(kind, {})) for kind in recipe.kinds]
    return AnomalySynthesis(network, kinds)


def preview_defects(good: GoodImages, recipe: DefectRecipe, settings: DefectSettings) -> MadeDefects:
    """Defects on the first good images, to look at where there was no search: of the recipe's kinds, or the usual.

    In pictures' own pixels where these are not just squashed. A kind that finds no place on them is left out.
    """
    few = list(good.images[:LOOKED_AT])
    product = described_product(few, settings.seed, settings.texture, settings.foreground)
    made: MadeDefects = {}
    shown = Chosen(good.pictures, range(min(SHOWN, len(good.paths))))
    boxes = [(0, 0, width, height) for height, width in good.sizes[:SHOWN]]
    planter = Planter(shown, boxes, product, settings.seed, good.region, recipe.parameters)
    for kind in recipe.kinds or defect_kinds("auto"):
        with suppress(FlawsightError):
            if good.is_overview:
                defect = make(kind, product=product, **recipe.parameters.get(kind, {}))
                made[kind] = apply_defects(few[:SHOWN], defect, kind=kind, seed=settings.seed, sources=few)
            else:
                planted = planter.plant(kind, range(len(shown)))
                made[kind] = PlantedPictures(shown, planted), PlantedMasks(good.sizes[:SHOWN], planted)
    return made


def _digest(parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Names these parameters, pictures and all; empty where there are none."""
    parts: list[object] = []
    for kind in sorted(parameters):
        for name, images in sorted(parameters[kind].items()):
            parts += [f"{kind}.{name}", *images]
    return cache_key(*parts) if parameters else ""


def _needed(kind: str, kinds: Sequence[str], option: str) -> None:
    if kind not in kinds:
        raise FlawsightError(f"{option} is for the kind '{kind}': add it to --defects, or leave {option} out")
