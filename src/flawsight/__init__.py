"""Flawsight: a folder of good pictures becomes a visual inspector.

import flawsight as fs
inspector = fs.fit("good/")
result = inspector.inspect("x.png")
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from flawsight.core import FlawsightError

if TYPE_CHECKING:
    from flawsight.fleet import fit_all
    from flawsight.inference import save
    from flawsight.inspection import Inspector, Result, evaluate, inspect_to_folder
    from flawsight.monitoring import DriftAlarm
    from flawsight.pipeline import FitResult, fit, run_fit, synthesize
    from flawsight.runtime import load
    from flawsight.settings import FitSettings

__all__ = [
    "DriftAlarm",
    "FitResult",
    "FitSettings",
    "FlawsightError",
    "Inspector",
    "Result",
    "evaluate",
    "fit",
    "fit_all",
    "inspect_to_folder",
    "load",
    "run_fit",
    "save",
    "synthesize",
]
_ROOMS = {
    "fleet": ("fit_all",),
    "inference": ("save",),
    "inspection": ("Inspector", "Result", "evaluate", "inspect_to_folder"),
    "monitoring": ("DriftAlarm",),
    "pipeline": ("FitResult", "fit", "run_fit", "synthesize"),
    "runtime": ("load",),
    "settings": ("FitSettings",),
}
_WHERE = {name: f"flawsight.{room}" for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load rooms, and with them torch, only when they are asked for: `fs.metrics`, `fs.fit`."""
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in {module.name for module in pkgutil.iter_modules(__path__)}:
        return importlib.import_module(f"flawsight.{name}")
    raise AttributeError(f"module 'flawsight' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, *(module.name for module in pkgutil.iter_modules(__path__))]
