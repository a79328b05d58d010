"""What `fit` gives the kinds of defects that blend pictures in, and the detectors that make defects themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from flawsight.data import MAX_PIXELS
from flawsight.defects import Image, apply_defects, estimate_product, make
from flawsight.detectors import AnomalySynthesis
from flawsight.detectors.engine.passes import BATCH
from flawsight.errors import FlawsightError
from flawsight.features import Extractor
from flawsight.generation.description import DESCRIPTION, Description, read_description
from flawsight.inspection.fitting import MadeDefects
from flawsight.progress import Progress
from flawsight.selection import defect_kinds

PICTURES = 64
LOOKED_AT = 32
SHOWN = 4
Parameters = Mapping[str, Mapping[str, Any]]
"""Parameters of the kinds of defects that have some, by kind."""


class Blending(NamedTuple):
    """The kinds of defects, what they are given, a name for that, and the generator that was asked for its pictures."""

    kinds: tuple[str, ...]
    parameters: dict[str, dict[str, Any]]
    material: str
    generator: Description | None


def blending_parameters(
    kinds: Sequence[str],
    paths: Sequence[Path],
    *,
    may_replace: bool = False,
    textures: str | Path | None = None,
    generator: str | Path | None = None,
    strength: tuple[float, float] = (0.1, 0.2),
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> Blending:
    """`textures` for the kind `perlin`, and pictures for `sdas`, from the generator in that folder.

    A generator that is there is taken as it is; else one is trained there on these good images. Where its pictures are
    useless, `perlin` takes the place of `sdas` if that `may_replace` it.
    """
    found: dict[str, dict[str, Any]] = {}
    description = None
    if textures is not None:
        _needed("perlin", kinds, "--textures")
        from flawsight.inspection.material import read_textures

        found["perlin"] = {"textures": read_textures(textures, seed, max_pixels)}
    if "sdas" in kinds:
        if generator is None:
            raise FlawsightError("the kind 'sdas' needs a generator: name a folder for it with --generator")
        from flawsight.generation import pictures_of
        from flawsight.inspection.material import sdas_material

        folder = Path(generator)
        if (folder / DESCRIPTION).exists():
            description = read_description(folder)
            pictures = pictures_of(folder, PICTURES, strength, seed, progress)
        else:
            pictures, description = sdas_material(
                paths, folder, count=PICTURES, strength=strength, seed=seed, max_pixels=max_pixels, progress=progress
            )
        found["sdas"] = {"pictures": pictures}
        if may_replace and description.is_useless:
            del found["sdas"]
            kinds = tuple(dict.fromkeys("perlin" if kind == "sdas" else kind for kind in kinds))
    elif generator is not None:
        _needed("sdas", kinds, "--generator")
    return Blending(tuple(kinds), found, digest(found), description)


def digest(parameters: Parameters) -> str:
    """Names these parameters, pictures and all."""
    mark = hashlib.sha256()
    for kind in sorted(parameters):
        for name, value in sorted(parameters[kind].items()):
            mark.update(f"{kind}.{name}".encode())
            for image in value:
                mark.update(np.ascontiguousarray(image).tobytes())
    return mark.hexdigest()[:16] if parameters else ""


def anomaly_synthesis(
    extractor: Extractor,
    layers: Sequence[str],
    images: Sequence[Image],
    kinds: Sequence[str],
    parameters: Parameters,
    seed: int,
) -> AnomalySynthesis:
    """Defects of these kinds on this product, and the network that reads them."""
    extractor.prepare(layers)

    def network(pictures: Sequence[Image]) -> list[torch.Tensor]:
        at_once = BATCH if extractor.device.type == "cpu" else len(pictures)
        parts = [
            extractor.extract(pictures[start : start + at_once], layers) for start in range(0, len(pictures), at_once)
        ]
        return [torch.cat([part[layer] for part in parts]) for layer in layers]

    product = estimate_product(images[:LOOKED_AT], seed=seed)
    return AnomalySynthesis(network, [make(kind, product=product, **parameters.get(kind, {})) for kind in kinds])


def a_few_defects(images: Sequence[Image], kinds: Sequence[str], parameters: Parameters, seed: int) -> MadeDefects:
    """Defects on the first good images, to look at where there was no search: of these kinds, or else of its kinds.

    A kind that finds no place on them is left out.
    """
    few = list(images[:LOOKED_AT])
    product = estimate_product(few, seed=seed)
    made = {}
    for kind in kinds or defect_kinds("auto"):
        with suppress(FlawsightError):
            defect = make(kind, product=product, **parameters.get(kind, {}))
            made[kind] = apply_defects(few[:SHOWN], defect, kind=kind, seed=seed, sources=few)
    return made


def _needed(kind: str, kinds: Sequence[str], option: str) -> None:
    if kind not in kinds:
        raise FlawsightError(f"{option} is for the kind '{kind}': add it to --defects, or leave {option} out")
