"""Flawsight: a folder of good pictures becomes a visual inspector.

import flawsight as fs
inspector = fs.fit("good/")
result = inspector.inspect("x.png")
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from flawsight.errors import FlawsightError

if TYPE_CHECKING:
    from flawsight.inspection import Inspector, Result, evaluate, fit, load, save

__all__ = ["FlawsightError", "Inspector", "Result", "evaluate", "fit", "load", "save"]


def __getattr__(name: str) -> Any:
    """Load rooms, and with them torch, only when they are asked for: `fs.metrics`, `fs.fit`."""
    if name in __all__:
        return getattr(importlib.import_module("flawsight.inspection"), name)
    if name in {module.name for module in pkgutil.iter_modules(__path__)}:
        return importlib.import_module(f"flawsight.{name}")
    raise AttributeError(f"module 'flawsight' has no attribute '{name}'")
