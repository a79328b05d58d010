"""Tracing a network while other threads go on: torch's tracer patches every network of the process for a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from torch import fx, nn
from torchvision.models import feature_extraction  # type: ignore[import-untyped]

GLOBAL_STATE = threading.RLock()
"""Held while a network is made or traced: torch's random numbers and its patches are the whole process's."""


class OwnThreadTracer(feature_extraction.NodePathTracer):
    """Traces what its own thread computes; networks that other threads run meanwhile compute as ever."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._thread = threading.get_ident()

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Note the call, or in another thread just make it."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """A stand-in for a parameter, or in another thread the parameter itself."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


# torchvision's own functions make their tracer by this name.
feature_extraction.NodePathTracer = OwnThreadTracer


def own_modules(graph: fx.GraphModule) -> None:
    """Give a graph modules of its own, with the same tensors: tracing the network again sets its to training."""
    for target in sorted({str(node.target) for node in graph.graph.nodes if node.op == "call_module"}):
        module = graph.get_submodule(target)
        tensors: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
        parent, _, name = target.rpartition(".")
        setattr(graph.get_submodule(parent), name, deepcopy(module, tensors))
