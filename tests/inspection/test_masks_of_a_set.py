"""Figures do not depend on how the masks were written, and what the masks mean is part of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.data import open_dataset
from flawsight.inspection import Inspector


def rewritten(root: Path, folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    copy = Path(shutil.copytree(root, folder))
    for path in (copy / "ground_truth/spot").iterdir():
        Image.fromarray(change(np.asarray(Image.open(path)))).save(path)
    return copy


WAYS = {
    "labels": lambda mask: mask // 255,
    "inverted": lambda mask: 255 - mask,
    "16 bit": lambda mask: mask.astype(np.uint16) * 257,
    "red on white": lambda mask: np.where(mask[..., None] > 0, np.uint8([200, 0, 0]), np.uint8(255)),
    "alpha": lambda mask: np.dstack([np.zeros_like(mask)] * 3 + [mask]),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_the_same_figures(fitted: Inspector, labelled_set: Path, tmp_path: Path, way: Callable) -> None:
    expected = fs.evaluate(fitted, open_dataset(labelled_set))
    found = fs.evaluate(fitted, open_dataset(rewritten(labelled_set, tmp_path / "set", way)))
    assert found.pop("masks")["files"] == expected.pop("masks")["files"] == 3
    assert found == expected


@pytest.mark.parametrize("sigma", [1, 2])
def test_soft_edges_cost_next_to_nothing(fitted: Inspector, labelled_set: Path, tmp_path: Path, sigma: float) -> None:
    def soften(mask: np.ndarray) -> np.ndarray:
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
        return np.rint(soft * 255 / soft.max()).astype(np.uint8)

    expected = fs.evaluate(fitted, open_dataset(labelled_set))
    found = fs.evaluate(fitted, open_dataset(rewritten(labelled_set, tmp_path / "set", soften)))
    assert found["masks"]["soft"] and "half of the maximum" in found["masks"]["rule"]
    assert found["aupro_0.30"] == pytest.approx(expected["aupro_0.30"], abs=0.03)


def test_contradictions_stop_an_evaluation_before_it_begins(
    fitted: Inspector, labelled_set: Path, tmp_path: Path
) -> None:
    root = rewritten(labelled_set, tmp_path / "set", lambda mask: mask * 0)
    seen: list[float] = []
    with pytest.raises(fs.FlawsightError, match=r"3 problems: .*500_mask\.png.*501_mask\.png.*502_mask\.png"):
        fs.evaluate(fitted, open_dataset(root), advance=seen.append)
    assert not seen
