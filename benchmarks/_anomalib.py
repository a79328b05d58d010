"""The peer: anomalib's PatchCore, with our network, weights, layers and image size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flawsight.detectors.patchcore.k_center import greedy_k_center
from flawsight.features import Extractor

os.environ.setdefault("TQDM_DISABLE", "1")  # its coreset draws a bar of a thousand steps
PIP_LINE = 'pip install "flawsight[bench]"   (or: pip install anomalib==2.7.0)'


def installed() -> bool:
    return find_spec("anomalib") is not None


def import_all() -> None:
    """Import what a fit needs, before a clock starts."""
    import anomalib.data
    import anomalib.engine
    import anomalib.models  # noqa: F401


def peer_name(part: str) -> str:
    return f"anomalib {version('anomalib')} {part}"


def seed_everything(seed: int) -> None:
    """Seed what its coreset draws from: torch, and numpy's global generator."""
    from lightning.pytorch import seed_everything as seed_all

    seed_all(seed, verbose=False)


def pair_blocks(extractor: Extractor) -> list[str]:
    """The default pair by timm's names: its features of a stage are the output of the block's last layer."""
    return [extractor.layer(name).block for name in extractor.default_pair]


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load the part of our network's weights that its timm network (without a head) has."""
    network: Any = model.feature_extractor.feature_extractor  # type: ignore[union-attr]
    network.load_state_dict({key: weights[key] for key in network.state_dict()})


def fit_folder(
    folder: str,
    out: str | Path,
    backbone: str,
    layers: list[str],
    ratio: float,
    image_size: int,
    mean: list[float],
    std: list[float],
    weights: dict[str, Tensor] | None,
    seed: int,
) -> int:
    """`Engine.fit` of a PatchCore on the images of a folder; the size of its memory bank."""
    from anomalib.models import Patchcore

    seed_everything(seed)
    model = Patchcore(
        backbone=backbone,
        layers=layers,
        pre_trained=False,
        coreset_sampling_ratio=ratio,
        pre_processor=pre_processor(image_size, mean, std),
        evaluator=False,
        visualizer=False,
    )
    if weights is not None:
        load_weights(model.model, weights)
    run_engine(model, folder, out, seed)
    return len(model.model.memory_bank)


def pre_processor(image_size: int, mean: list[float], std: list[float]) -> Any:
    """Its preprocessing with our size and normalisation."""
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Compose, Normalize, Resize

    transform = Compose([Resize((image_size, image_size), antialias=True), Normalize(mean, std)])
    return PreProcessor(transform=transform)


def run_engine(model: Any, folder: str, out: str | Path, seed: int, **options: Any) -> tuple[Any, Any]:
    """`Engine.fit` on the images of a folder, none of them held back; the engine and the data.

    No validation and no test: neither split is made, and the trainer is told to run no validation batches.
    """
    from anomalib.data import Folder
    from anomalib.engine import Engine

    data = Folder(
        name="good", normal_dir=folder, num_workers=0, test_split_mode="none", val_split_mode="none", seed=seed
    )
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    engine = Engine(default_root_dir=out, accelerator="cpu", limit_val_batches=0, **quiet, **options)
    engine.fit(model=model, datamodule=data)
    return engine, data


def torch_model(extractor: Extractor) -> nn.Module:
    """Its torch model without a memory bank, in eval mode.

    The network that it builds runs to its end whatever layers are read; what follows the last of them is cut off here.
    """
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    layers = pair_blocks(extractor)
    model = PatchcoreModel(layers=layers, backbone=extractor.name, pre_trained=False)
    load_weights(model, extractor.network.module.state_dict())
    network: Any = model.feature_extractor.feature_extractor
    network.blocks = network.blocks[: 1 + max(int(name.removeprefix("blocks.")) for name in layers)]
    return model.eval()


def embeddings(model: nn.Module, extractor: Extractor, images: Sequence[np.ndarray]) -> Tensor:
    """What its model chooses a memory bank from: its descriptors (N, D) of these squares."""
    model.train()
    with torch.no_grad():
        parts = [model(extractor.preprocess(images[start : start + 8])) for start in range(0, len(images), 8)]
    model.embedding_store.clear()  # type: ignore[union-attr, operator]
    model.eval()
    return torch.cat(parts)


def with_bank(model: nn.Module, descriptors: Tensor, size: int, neighbours: int, seed: int) -> nn.Module:
    """A copy with a memory bank of so many of these descriptors.

    `greedy_k_center` chooses them: the objective of its KCenterGreedy, which takes hours for a tenth of 143,360.
    """
    found: Any = deepcopy(model)
    found.memory_bank = descriptors[torch.from_numpy(greedy_k_center(descriptors, size, seed))]
    found.num_neighbors = neighbours
    return found
