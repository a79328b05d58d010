"""Flawsight: a folder of good pictures becomes a visual inspector.

import flawsight as fs
inspector = fs.fit("good/")
result = inspector.inspect("x.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from flawsight.errors import FlawsightError

if TYPE_CHECKING:
    from flawsight.inspection import Inspector, Result, evaluate, fit, load

__all__ = ["FlawsightError", "Inspector", "Result", "evaluate", "fit", "load"]


def __getattr__(name: str) -> Any:
    """Load torch and its kin only when they are asked for."""
    if name in __all__:
        return getattr(importlib.import_module("flawsight.inspection"), name)
    raise AttributeError(f"module 'flawsight' has no attribute '{name}'")
