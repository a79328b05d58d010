"""A lamp that was replaced: all pictures differ, a few defects do not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from flawsight.data import change_as_a_whole, measured, usual_looks

CHANGES = {
    "40 % brighter": lambda image: 1.4 * image,
    "darker": lambda image: 0.6 * image,
    "less contrast": lambda image: image.mean() + 0.5 * (image - image.mean()),
    "less sharp": lambda image: cv2.GaussianBlur(image, (0, 0), 2),
    "redder": lambda image: image * np.array([1.15, 1, 0.85]),
    "bluer": lambda image: image * np.array([0.85, 1, 1.15]),
    "greener": lambda image: image * np.array([0.9, 1.15, 0.9]),
}


@pytest.fixture(scope="session")
def pictures(texture: Callable) -> list[np.ndarray]:
    return [(texture(seed) * 0.6).astype(np.uint8) for seed in range(60)]


def rows(images: list[np.ndarray]) -> list[dict[str, float]]:
    return [measured(np.clip(image, 0, 255).round().astype(np.uint8)) for image in images]


@pytest.mark.parametrize("said", CHANGES)
def test_a_change_of_all_is_said(said: str, pictures: list[np.ndarray]) -> None:
    learned, new = usual_looks(rows(pictures[:40])), pictures[40:]
    changed = rows([CHANGES[said](image.astype(np.float32)) for image in new])
    found = change_as_a_whole(learned, changed)
    assert found and found.startswith("these 20 pictures differ as a whole") and said in found
    assert change_as_a_whole(learned, rows(new)) is None
    assert change_as_a_whole(learned, changed[:8] + rows(new)[8:]) is None  # most are as they were
    assert change_as_a_whole(learned, changed[:4]) is None  # too few to say
    assert change_as_a_whole({}, changed) is None
