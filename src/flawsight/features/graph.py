"""From a network to its graph: which nodes are layers, and a cut network that yields any set of them in one pass."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from timm.layers import get_notrace_functions, get_notrace_modules
from torch import Tensor, fx, nn
from torchvision.models.feature_extraction import (  # type: ignore[import-untyped]
    create_feature_extractor,
    get_graph_node_names,
)

from flawsight.core import Layer
from flawsight.features.tracing import GLOBAL_STATE, own_modules

_BLOCK = re.compile(
    r"^(layer\d+|blocks\.\d+|features\.(?:denseblock|transition)?\d+|stages\.\d+|layers\.\d+"
    r"|encoder\.layers\.encoder_layer_\d+|s\d+|stage\d+|Mixed_\d\w|inception\d\w)(?=\.|$)"
)
_NOT_FEATURES = re.compile(r"^(x|fc|classifier|head|heads|global_pool|avgpool|flatten)(\.|$)")
_KINDS = (("Conv", "conv"), ("BatchNorm", "bn"), ("LayerNorm", "ln"), ("ReLU", "relu"), ("Pool", "pool"))


def trace(network: nn.Module, names: Sequence[str] | None = None) -> fx.GraphModule:
    """`network` as a graph that returns the named nodes (default: all), nothing computed past the deepest.

    In-place activations are switched off: they would overwrite the batch norm or sum before them when several nodes
    are read in one pass.
    """
    options = _tracer_options()
    with GLOBAL_STATE:
        if names is None:
            training, inference = get_graph_node_names(network, tracer_kwargs=options, suppress_diff_warning=True)
            names = [name for name in inference if name != "x" and name in training]
        graph = create_feature_extractor(
            network, return_nodes={name: name for name in names}, tracer_kwargs=options, suppress_diff_warning=True
        )
    own_modules(graph)
    for module in graph.modules():
        if getattr(module, "inplace", False):
            module.inplace = False
    for node in graph.graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    graph.recompile()
    return graph.eval()


def _tracer_options() -> dict[str, Any]:
    return {"leaf_modules": list(get_notrace_modules()), "autowrap_functions": list(get_notrace_functions())}


def catalogue(network: nn.Module, image_size: int) -> tuple[Layer, ...]:
    """Every node of `network` that yields a spatial map for square images of `image_size`, in network order."""
    with GLOBAL_STATE, torch.inference_mode():  # another tracing of this network would set it to training meanwhile
        graph = trace(network)
        recorder = _Shapes(graph)
        recorder.run(torch.zeros(2, 3, image_size, image_size, device=next(network.parameters()).device))
    names = next(node for node in graph.graph.nodes if node.op == "output").args[0]
    attention = _attention(graph, recorder.shapes)
    modules = dict(graph.named_modules())
    layers: list[Layer] = []
    node_layer: dict[str, str] = {}
    for name, node in names.items():
        layout = grid_of(recorder.shapes.get(node.name), network, name)
        if layout is None or node.op in {"get_attr", "placeholder"} or _NOT_FEATURES.match(name) or node in attention:
            continue
        channels, height, width = layout
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        source = node.args[0].name if module is not None and _is_identity(module) else ""
        block = _BLOCK.match(name)
        if block:
            block_name = block.group(1)
        else:
            block_name = "output" if any(layer.block != "input" for layer in layers) else "input"
        layers.append(
            Layer(
                name=name,
                kind=_kind(module, name),
                block=block_name,
                channels=channels,
                height=height,
                width=width,
                stride=image_size / height,
                order=len(layers),
                same_as=node_layer.get(source, ""),
            )
        )
        node_layer[node.name] = layers[-1].same_as or name
    return tuple(layers)


class _Shapes(fx.Interpreter):
    """Runs the graph and keeps the shape of every tensor."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[str, torch.Size] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor) and value.is_floating_point():
            self.shapes[n.name] = value.shape
        return value


def _attention(graph: fx.GraphModule, shapes: Mapping[str, torch.Size]) -> set[fx.Node]:
    """Nodes that compare tokens with tokens, (N, heads, tokens, tokens): square, and yet no maps."""
    found: set[fx.Node] = set()
    for node in graph.graph.nodes:
        shape = shapes.get(node.name, ())
        if len(shape) == 4 and shape[2] == shape[3]:
            from_found = any(source in found and shapes[source.name] == shape for source in node.all_input_nodes)
            if from_found or node.target in {torch.matmul, operator.matmul}:
                found.add(node)
    return found


def grid_of(shape: torch.Size | None, network: nn.Module, name: str) -> tuple[int, int, int] | None:
    """(channels, height, width) of a node's output as a feature map, or None when it is not one."""
    if shape is None or shape[0] != 2:
        return None
    prefix = prefix_tokens(network)
    if len(shape) == 3 and prefix is not None:
        side = math.isqrt(shape[1] - prefix) if shape[1] > prefix else 0
        return (shape[2], side, side) if side > 1 and side * side == shape[1] - prefix else None
    if len(shape) == 4:
        _, a, b, c = shape
        inside_attention = prefix is not None and "patch_embed" not in name and "conv_proj" not in name
        if inside_attention:  # (heads, tokens, tokens) is no map
            return None
        if b == c and b > 1:
            return a, b, c
        if a == b and a > 1:
            return c, a, b
    return None


def prefix_tokens(network: nn.Module) -> int | None:
    """How many tokens precede the grid of a vision transformer; None for a network that has no tokens."""
    if hasattr(network, "num_prefix_tokens"):
        return int(network.num_prefix_tokens)  # type: ignore[arg-type]
    return 1 if hasattr(network, "class_token") else None


def as_map(values: Tensor, layer: Layer) -> Tensor:
    """A node's output as (N, C, H, W): token sequences and channels-last maps are reshaped."""
    if values.ndim == 3:
        grid = values[:, values.shape[1] - layer.height * layer.width :]
        return grid.transpose(1, 2).reshape(values.shape[0], layer.channels, layer.height, layer.width)
    if values.shape[1:] != (layer.channels, layer.height, layer.width):
        return values.permute(0, 3, 1, 2)
    return values


def _is_identity(module: nn.Module) -> bool:
    """Whether the module hands its input on when it is not training."""
    return isinstance(module, nn.Identity | nn.Dropout) or type(module).__name__ in {"DropPath", "StochasticDepth"}


def _kind(module: nn.Module | None, name: str) -> str:
    if module is None:
        return re.sub(r"_\d+$", "", name.rsplit(".", 1)[-1])
    class_name = type(module).__name__
    return next((kind for part, kind in _KINDS if part in class_name), class_name.lower())
