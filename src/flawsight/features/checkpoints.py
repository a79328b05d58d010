"""Weights files: which of their tensors are the network's, by the layouts in which pretrained ones are published."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from timm.layers import Attention
from torch import Tensor, nn

from flawsight.core import FlawsightError

State = Mapping[str, Tensor]

WRAPPERS: tuple[tuple[str, ...], ...] = (
    # VISSL, extra_scripts/convert_vissl_to_torchvision.py: what it trained, and what is converted to it.
    ("classy_state_dict", "base_model", "model", "trunk"),
    ("model_state_dict",),
    # DINO, main_dino.py, beside "student"; its evaluations take the teacher (eval_linear.py: --checkpoint_key).
    ("teacher",),
    # PyTorch's examples, MoCo, MoCo v3, SwAV and SeLa (main*.py: save_checkpoint), and timm, beside "state_dict_ema".
    ("state_dict",),
    # Barlow Twins (main.py: checkpoint.pth), DeiT, and torchvision's references, beside "model_ema".
    ("model",),
    # SimCLR v2 as converted by Separius/SimCLRv2-Pytorch, beside "head".
    ("resnet",),
    (),
)
"""Where in a file the tensors are; the first that is there counts."""


@dataclass(frozen=True)
class Layout:
    """How an encoder's tensors are named: patterns at the start of a name, and what stands there in the network's own.

    The first pattern that matches counts; what none matches is not the encoder's.
    """

    encoder: str
    rules: tuple[tuple[str, str], ...]

    def renamed(self, name: str) -> str | None:
        """The network's own name for a tensor, or None where it is not the encoder's."""
        for pattern, place in self.rules:
            if re.match(pattern, name):
                return re.sub(f"^{pattern}", place, name, count=1)
        return None


MOCO_V3 = "the base encoder"
_BLOCK = r"net\.([1-4])\.blocks\.(\d+)\."
LAYOUTS = (
    # moco/builder.py beside encoder_k and queue; main_lincls.py evaluates the query encoder (v1 and v2).
    Layout("the query encoder", ((r"encoder_q\.", ""),)),
    # moco-v3/moco/builder.py beside momentum_encoder and predictor; main_lincls.py evaluates the base encoder.
    Layout(MOCO_V3, ((r"base_encoder\.", ""),)),
    # DINO (utils.py: MultiCropWrapper) beside head; Barlow Twins (main.py) beside projector; sthalles/SimCLR.
    Layout("the backbone", ((r"backbone\.", ""),)),
    # AndrewAtanov/simclr-pytorch (models/encoder.py) beside projection.
    Layout("the convnet", ((r"convnet\.", ""),)),
    # Spijkervet/SimCLR (simclr/simclr.py) beside projector.
    Layout("the encoder", ((r"encoder\.", ""),)),
    # vissl/models/trunks/resnext.py; with the longer names in what is fine-tuned.
    Layout("the trunk", ((r"(trunk\.)?(base_model\.)?_feature_blocks\.", ""),)),
    # SeLa (self-label/models/resnetv1.py) beside top_layer; change_state_dict.py has the same pairs. Its newer files
    # have torchvision's names.
    Layout(
        "the features",
        (
            (r"features\.0\.", "conv1."),
            (r"features\.1\.", "bn1."),
            *((rf"features\.{number + 3}\.", f"layer{number}.") for number in (1, 2, 3, 4)),
        ),
    ),
    # SimCLR v2 without selective kernels (Separius/SimCLRv2-Pytorch, resnet.py), a ResNet by other names. Like v1 it
    # learned from pixels that were not normalised (tonylins/simclr-converter, eval.py).
    Layout(
        "the residual network, which learned from pixels of 0 to 1,",
        (
            (r"net\.0\.0\.", "conv1."),
            (r"net\.0\.1\.0\.", "bn1."),
            (rf"{_BLOCK}projection\.shortcut\.", r"layer\1.\2.downsample.0."),
            (rf"{_BLOCK}projection\.bn\.0\.", r"layer\1.\2.downsample.1."),
            *((rf"{_BLOCK}net\.{2 * number - 2}\.", rf"layer\1.\2.conv{number}.") for number in (1, 2, 3)),
            *((rf"{_BLOCK}net\.{2 * number - 1}\.0\.", rf"layer\1.\2.bn{number}.") for number in (1, 2, 3)),
            (r"fc\.", "fc."),
        ),
    ),
    # The libraries' own names: torchvision, timm, SwAV (src/resnet50.py), Barlow Twins' resnet50.pth, SimCLR as
    # converted by tonylins/simclr-converter. torchvision's DenseNets were published with a dot more (densenet.py).
    Layout("", ((r"(features\.denseblock\d+\.denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2"), ("", ""))),
)
"""By preference, where a file holds several encoders: of them the one that the method's authors evaluate."""

_HEAD = re.compile(r"(fc|classifier|heads?|last_linear|aux\d|AuxLogits|projection_head|prototypes)(\.|$)")
"""What comes after the features: classifiers, and what SwAV has in their place."""

_OBJECTS = (
    "argparse.Namespace",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)
"""What older checkpoints hold beside tensors: the options and measures of their training."""


class _Nothing:
    """Stands where a file has an object that is not needed: the object itself is never made."""

    def __new__(cls, *_: object) -> _Nothing:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        del state


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file as they are named there, where they were in it, and what else there was of tensors."""

    state: State
    place: str = ""
    others: tuple[str, ...] = ()


def read_weights(path: Path) -> Checkpoint:
    """The state dict in a .pth file (also .pt, .pth.tar; code is never run) or a .safetensors file."""
    if not path.is_file():
        raise FlawsightError(f"weights file '{path}' does not exist: check --weights")
    try:
        if path.suffix == ".safetensors":
            return Checkpoint(load(path.read_bytes()))  # by path it takes UTF-8 only
        with torch.serialization.safe_globals([(_Nothing, name) for name in _OBJECTS]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        stranger = re.search(r"GLOBAL (\S+)", str(error))
        if stranger:
            raise FlawsightError(
                f"weights file '{path}' cannot be read as a state dict: it holds a '{stranger[1]}', and to make one "
                "could run any code; load it where you trust it, and save its state_dict() alone"
            ) from error
        raise FlawsightError(
            f"weights file '{path}' cannot be read as a state dict ({type(error).__name__}): it must be a .safetensors "
            "file, or a .pth file that holds tensors"
        ) from error
    return _unwrapped(content, path)


def _unwrapped(content: Any, path: Path) -> Checkpoint:
    for keys in WRAPPERS:
        parent, found = {}, content
        for key in keys:
            parent, found = found, found.get(key) if isinstance(found, dict) else None
        if _is_state(found):
            others = [str(key) for key, value in parent.items() if _is_state(value) and value is not found]
            return Checkpoint(found, ".".join(keys), tuple(others))
    holds = f"its keys are {_few([repr(key) for key in content])}" if isinstance(content, dict) and content else ""
    raise FlawsightError(
        f"weights file '{path}' holds no state dict of tensors: {holds or 'it is something else'}; "
        "save model.state_dict()"
    )


def _is_state(found: Any) -> bool:
    if not isinstance(found, dict) or not found:
        return False
    return all(isinstance(key, str) and isinstance(value, Tensor) for key, value in found.items())


@dataclass(frozen=True)
class Match:
    """Tensors by the network's own names, those of the network that are missing, and a line on what became of the rest.

    `remark` is empty where the checkpoint held the network under its own names, and nothing else.
    """

    state: State
    missing: frozenset[str]
    remark: str = ""


def match(checkpoint: Checkpoint, module: nn.Module, name: str, where: str) -> Match:
    """Find every tensor of the network's features in a checkpoint, all of one encoder, or say which do not fit.

    Heads, and what is beside the encoder, are ignored. A file may end early, after a whole block; it may have no gap.
    """
    state, own, is_head = checkpoint.state, module.state_dict(), _heads(module)
    layout = _layout(state, own)
    _check_attention(layout, module, where)
    keys = _renamed(state, layout, where)
    differ = [new for new in keys if new in own and own[new].shape != state[keys[new]].shape]
    found = {new: state[key] for new, key in keys.items() if new in own and new not in differ}
    needed = [new for new in own if not new.endswith("num_batches_tracked")]
    features = [new for new in needed if not is_head(new)]
    absent = [new for new in features if new not in keys]
    complaints = [
        _counted("of another shape", [_shapes(new, state[keys[new]], own[new]) for new in differ if not is_head(new)]),
        _counted("not its own", [key for new, key in keys.items() if new not in own and not is_head(new)]),
    ]
    if any(complaints) or not _ends_early(features, absent):
        complaints.insert(0, _counted("missing", absent))
    if any(complaints):
        raise FlawsightError(f"{where} do not belong to '{name}': {'; '.join(filter(None, complaints))}")
    remark = _remark(checkpoint, layout, {keys[new] for new in found}, next(iter(absent), ""))
    return Match(found, frozenset(new for new in needed if new not in found), remark and f"{where}: {remark}")


def _layout(state: State, own: State) -> Layout:
    """The first by which most of what can be found is found: for one gap no other encoder is taken."""
    counts = {layout: len({layout.renamed(_bare(key)) for key in state} & own.keys()) for layout in LAYOUTS}
    most = max(counts.values())
    if most < 3:  # a name or two are alike by chance
        return LAYOUTS[-1]
    return next(layout for layout in LAYOUTS if 2 * counts[layout] >= most)


def _renamed(state: State, layout: Layout, where: str) -> dict[str, str]:
    """The checkpoint's names of the encoder's tensors, by the network's."""
    keys: dict[str, str] = {}
    for key in state:
        new = layout.renamed(_bare(key))
        if new in keys:
            raise FlawsightError(f"{where} hold a tensor twice: '{keys[new]}' and '{key}'")
        if new is not None:
            keys[new] = key
    return keys


def _bare(key: str) -> str:
    """Without what DataParallel and its kin add around the whole or, as in SeLa, around a part."""
    return ".".join(part for part in key.split(".") if part != "module")


def _heads(module: nn.Module) -> Callable[[str], bool]:
    """Whether a tensor comes after the features, by its name."""
    of_timm = (getattr(module, "default_cfg", None) or {}).get("classifier") or ()
    places = tuple(f"{place}." for place in ([of_timm] if isinstance(of_timm, str) else of_timm))
    return lambda name: bool(_HEAD.match(name)) or name.startswith(places)


def _check_attention(layout: Layout, module: nn.Module, where: str) -> None:
    """Shapes do not tell how many heads attend: MoCo v3's small transformer has 12 (vits.py), timm's has 6."""
    heads = {block.num_heads for block in module.modules() if isinstance(block, Attention)}
    if layout.encoder == MOCO_V3 and heads and not heads <= {12, 16}:
        raise FlawsightError(f"{where} are of MoCo v3, whose transformers attend with 12 heads; this has {min(heads)}")


def _ends_early(features: Sequence[str], absent: Sequence[str]) -> bool:
    """Whether what is absent is the end of the network, from the beginning of a block on."""
    lacking, blocks = set(absent), dict[str, set[bool]]()
    for name in features:
        blocks.setdefault(".".join(name.split(".")[:-1][:2]) or name, set()).add(name in lacking)
    flags = [len(both) == 1 and True in both for both in blocks.values()]
    return all(len(both) == 1 for both in blocks.values()) and flags == sorted(flags) and not all(flags)


def _remark(checkpoint: Checkpoint, layout: Layout, used: set[str], end: str) -> str:
    said = []
    if layout.encoder or checkpoint.others:
        place = f" in '{checkpoint.place}'" if checkpoint.place else ""
        beside = f", not {_few([repr(other) for other in checkpoint.others])}" if checkpoint.others else ""
        said.append(f"read {layout.encoder or 'the network'}{place}{beside}")
    ignored = [key for key in checkpoint.state if key not in used]
    if ignored:
        said.append(f"ignored {len(ignored)} tensors ({_few(_modules(ignored, layout))})")
    if end:
        said.append(f"nothing can be read from {end} on, for the file ends before")
    return "; ".join(said)


def _modules(keys: Sequence[str], layout: Layout) -> list[str]:
    """What tensors are of: the encoder's heads by their names, and what is beside it by its own."""
    found: dict[str, None] = {}
    for key in keys:
        inner = layout.renamed(_bare(key)) or _bare(key)
        found[key[: key.rfind(inner)] + inner.split(".")[0]] = None
    return list(found)


def _shapes(name: str, found: Tensor, own: Tensor) -> str:
    return f"{name}, {tuple(found.shape)} and not {tuple(own.shape)}"


def _counted(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} {what} ({_few(names)})" if names else ""


def _few(texts: Sequence[str], most: int = 3) -> str:
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")
