"""Learning from mixed and from bad files: whoever differs is named, whoever cannot be read is left to the decoder."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from flawsight.core import FlawsightError
from flawsight.data import PixelFormat, learn_pixel_format


def save(folder: Path, write: Callable, values: list[np.ndarray], suffix: str = ".tif") -> list[Path]:
    return [write(folder / f"{number:02d}{suffix}", one) for number, one in enumerate(values)]


def test_mixed_depths_are_refused_and_all_named(
    tmp_path: Path, make_scene: Callable, write: Callable, at_depth: Callable
) -> None:
    scenes = [make_scene(seed, 1) for seed in range(10)]
    odd = [at_depth(scene, 12) if number in (2, 7) else scene for number, scene in enumerate(scenes)]
    with pytest.raises(
        FlawsightError, match=r"2 of 10 .*02\.tif is grey 16-bit, 07\.tif is grey 16-bit; take them out"
    ):
        learn_pixel_format(save(tmp_path, write, odd))


@pytest.mark.parametrize("stored", ["one channel", "three equal"])
def test_grey_among_colour_is_named(
    tmp_path: Path, stored: str, make_scene: Callable, write: Callable, rgb: Callable
) -> None:
    scenes = [make_scene(seed, 1 if seed == 4 else 3) for seed in range(10)]
    if stored == "three equal":
        scenes[4] = rgb(scenes[4])
    learned = learn_pixel_format(paths := save(tmp_path, write, scenes))
    if stored == "one channel":
        assert learned.is_colour is None and "04.tif is grey" in learned.concerns[0]
    else:
        assert learned.is_colour in (True, None)  # few of 8 bits are looked at; a fit looks at all
    assert learn_pixel_format([paths[4]]).is_colour is False


def test_at_most_ten_are_named(tmp_path: Path, make_scene: Callable, write: Callable, at_depth: Callable) -> None:
    values = [at_depth(make_scene(n, 1), 16) if n % 2 else make_scene(n, 1) for n in range(31)]
    with pytest.raises(FlawsightError, match=r"15 of 31 .*and 5 more"):
        learn_pixel_format(save(tmp_path, write, values))


def test_the_unreadable_are_left_to_others(tmp_path: Path, make_scene: Callable, write: Callable) -> None:
    paths = save(tmp_path, write, [make_scene(seed, 1) for seed in range(6)])
    whole = learn_pixel_format(paths)
    (tmp_path / "bad.tif").write_bytes(paths[0].read_bytes()[:900])
    (tmp_path / "text.png").write_text("no picture")
    assert learn_pixel_format([tmp_path / "bad.tif", *paths, tmp_path / "text.png"]) == whole
    with pytest.raises(FlawsightError, match=r"text\.png"):
        learn_pixel_format([tmp_path / "text.png", tmp_path / "bad.tif"])
    with pytest.raises(FlawsightError, match="--max-pixels"):
        learn_pixel_format(paths, max_pixels=100)
    with pytest.raises(FlawsightError, match="no pictures"):
        learn_pixel_format([])


def test_a_format_is_plain_json(tmp_path: Path, make_scene: Callable, write: Callable, at_depth: Callable) -> None:
    learned = learn_pixel_format(save(tmp_path, write, [at_depth(make_scene(n), 12) for n in range(8)]))
    text = json.dumps(asdict(learned))
    assert str(tmp_path) not in text
    assert TypeAdapter(PixelFormat).validate_json(text) == learned
