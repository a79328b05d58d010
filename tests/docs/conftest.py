"""Small pictures under the names that the documentation uses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.generation import PRESETS

TINY = {"side": 16, "patch": 4, "widths": (16,), "attention": 0, "norm_groups": 4, "head": 8}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texture: Callable, spoiled: Callable) -> Path:
    """A folder to work in, with good pictures, new ones, textures, and data sets in the layout of MVTec AD.

    Generators of the preset `small` are tiny.
    """

    def write(folder: str, images: list[np.ndarray]) -> None:
        (tmp_path / folder).mkdir(parents=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / folder / f"{number:03d}.png")

    good, more = [texture(seed) for seed in range(16)], [texture(seed) for seed in range(100, 103)]
    bad = [spoiled(seed) for seed in range(200, 203)]
    label = ((bad[0] == 250).all(2) * np.uint8(255)).astype(np.uint8)
    write("pictures/good", good)
    write("new_pictures", more + bad)
    write("textures", more)
    for dataset in ("datasets/my_product", "datasets/bottle"):
        write(f"{dataset}/train/good", good[:8])
        write(f"{dataset}/test/good", more)
        write(f"{dataset}/test/spot", bad)
        (tmp_path / dataset / "ground_truth" / "spot").mkdir(parents=True)
        for number in range(len(bad)):
            Image.fromarray(label).save(tmp_path / dataset / f"ground_truth/spot/{number:03d}_mask.png")
    Image.fromarray(bad[0]).save(tmp_path / "new.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PRESETS, "small", replace(PRESETS["small"], **TINY, steps=2, sampling_steps=2))
    return tmp_path
