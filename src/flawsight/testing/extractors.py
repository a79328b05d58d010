"""Checks that an extractor's catalogue is true, and that a layer's maps are the same however they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from flawsight.features import Extractor
from flawsight.features.graph import as_map, catalogue
from flawsight.testing.data import same, texture

MOST_ALONE = 12
"""Layers that are also read alone: each takes a network of its own."""


def check_extractor(extractor: str | Extractor, *, image_size: int = 64) -> None:
    """Raise AssertionError unless a network, by its name or made, can be relied on; a name is made at `image_size`.

    >>> from flawsight.features import Extractor
    >>> check_extractor(Extractor("timm:resnet10t", weights="random", image_size=32, device="cpu"))
    """
    made = Extractor(extractor, image_size=image_size) if isinstance(extractor, str) else extractor
    for check in (check_names, check_rows, check_single_layers, check_batches, check_nothing_is_overwritten, check_cut):
        try:
            check(made)
        except AssertionError as error:
            raise AssertionError(f"{check.__name__} of the extractor '{made.name}': {error}") from error


def check_names(extractor: Extractor) -> None:
    """Names are unique, and the network traced again has the same rows under them."""
    names = _names(extractor)
    assert len(set(names)) == len(names), "two layers have the same name"
    again = {layer.name: layer for layer in catalogue(extractor.network.module, extractor.image_size)}
    for layer in extractor.layers:
        assert again.get(layer.name) == layer, f"traced again, '{layer.name}' is {again.get(layer.name)}"


def check_rows(extractor: Extractor) -> None:
    """Channels, height, width and stride are those of the maps, and layers said to be the same are."""
    maps = _maps(extractor)
    order = [layer.order for layer in extractor.layers]
    assert order == sorted(set(order)), "layers are not in network order"
    for layer in extractor.layers:
        shape = tuple(maps[layer.name].shape[1:])
        assert shape == (layer.channels, layer.height, layer.width), f"maps of '{layer.name}' have shape {shape}"
        assert layer.stride == extractor.image_size / layer.height, f"'{layer.name}' has another stride"
        if layer.same_as:
            assert extractor.layer(layer.same_as).order < layer.order, f"'{layer.name}' repeats a later layer"
            assert torch.equal(maps[layer.name], maps[layer.same_as]), f"'{layer.name}' is not '{layer.same_as}'"


def check_single_layers(extractor: Extractor) -> None:
    """One pass for many layers gives what a pass for each gives."""
    names, together = _names(extractor), _maps(extractor)
    for name in names[:: -(-len(names) // MOST_ALONE)]:
        alone = extractor.extract(_pictures(), [name])[name]
        assert torch.equal(alone, together[name]), f"'{name}' alone is not as in one pass with others"


def check_batches(extractor: Extractor) -> None:
    """An image has the same maps whatever it is read with."""
    together = _maps(extractor)
    alone = [_maps(extractor, number) for number in range(len(_pictures()))]
    for name, values in together.items():
        assert same(torch.cat([maps[name] for maps in alone]), values), f"'{name}' changes with the batch"


def check_nothing_is_overwritten(extractor: Extractor) -> None:
    """In one pass each layer has the value that its node computed: nothing later works on it in place."""
    graph = extractor.truncated(_names(extractor))
    given = extractor.preprocess(_pictures())
    witness = _Witness(graph)
    with torch.inference_mode():
        outputs = graph(given)
        witness.run(given)
    for name, node in _outputs(graph).items():
        assert torch.equal(outputs[name], witness.values[node.name]), f"'{name}' is overwritten by a later node"


def check_cut(extractor: Extractor) -> None:
    """The cut network computes what the modules of the whole one do."""
    graph = extractor.truncated(_names(extractor))
    first = {node.target: node for node in reversed(graph.graph.nodes) if node.op == "call_module"}
    read = {str(node.target): name for name, node in _outputs(graph).items() if first.get(node.target) is node}
    seen: dict[str, Tensor] = {}

    def note(name: str) -> Callable[..., None]:
        def see(*call: Any) -> None:
            seen.setdefault(name, call[-1].clone())  # the first call; what is later done in place is not seen

        return see

    hooks = [
        extractor.network.module.get_submodule(path).register_forward_hook(note(name)) for path, name in read.items()
    ]
    try:
        with torch.inference_mode():
            extractor.network.module(extractor.preprocess(_pictures()))
    finally:
        for hook in hooks:
            hook.remove()
    found = _maps(extractor)
    for name, values in seen.items():
        assert same(as_map(values, extractor.layer(name)), found[name]), f"'{name}' is not as in the whole network"


class _Witness(fx.Interpreter):
    """Runs a graph node by node and copies each value before a later node can touch it."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.values[n.name] = value.clone()
        return value


def _outputs(graph: fx.GraphModule) -> dict[str, fx.Node]:
    found: Any = next(node for node in graph.graph.nodes if node.op == "output").args[0]
    return dict(found)


def _pictures() -> list[np.ndarray]:
    return [texture(seed, size) for seed, size in enumerate([(64, 64), (97, 60), (130, 200)])]


def _names(extractor: Extractor) -> list[str]:
    return [layer.name for layer in extractor.layers]


def _maps(extractor: Extractor, *only: int) -> dict[str, Tensor]:
    """Maps of all layers, of all pictures or of those of these numbers."""
    pictures = _pictures()
    return extractor.extract([pictures[number] for number in only] or pictures, _names(extractor))
