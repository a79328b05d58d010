"""A plant: a few small products in folders, and the options of a fit that takes no time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

QUICK: dict[str, Any] = {
    "image_size": 64, "layers": "blocks.1.0.bn3,blocks.3.0.bn3", "defects": "simple", "device": "cpu", "export": "none",
}  # fmt: skip


@pytest.fixture
def plant(tmp_path: Path, texture: Callable[..., Any]) -> Path:
    """Three products of 16 to 18 pictures."""
    for number, name in enumerate(("cap", "nut", "ring")):
        folder = tmp_path / "plant" / name / "train" / "good"
        folder.mkdir(parents=True)
        for seed in range(16 + number):
            Image.fromarray(texture(100 * number + seed)).save(folder / f"{seed:03d}.png")
    return tmp_path / "plant"


@pytest.fixture
def quick() -> dict[str, Any]:
    return QUICK
