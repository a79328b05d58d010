"""The good images of a fit: of any sizes, enough of them, and a bad one is named early."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import flawsight as fs
from flawsight.data import read_image


def test_a_list_of_files_of_mixed_sizes_and_modes(fit_options: dict, tmp_path: Path, texture: Callable) -> None:
    paths = []
    for place, size in enumerate([(80, 96), (120, 64), (64, 200)] * 3):
        image = Image.fromarray(texture(place, size))
        path = tmp_path / f"{place}.{('png', 'jpg', 'bmp')[place % 3]}"
        (image.convert("L") if place == 4 else image).save(path)
        paths.append(path)
    inspector = fs.fit(paths, **fit_options, defects="simple")
    assert inspector.manifest.data.images == 9
    # What is asked of a file is asked of its pixels.
    assert inspector.inspect(paths[1]).score == inspector.inspect(read_image(paths[1])).score
    assert inspector.inspect(str(paths[2])).anomaly_map.shape == (64, 200)


def few(good_dir: Path, count: int) -> list[Path]:
    return sorted(good_dir.iterdir())[:count]


def test_layers_are_chosen_from_8_images_on(good_dir: Path, fit_options: dict) -> None:
    with pytest.warns(UserWarning, match="7 different parts are too few to choose layers by"):
        assert fs.fit(few(good_dir, 7), **fit_options).manifest.selection is None
    assert fs.fit(few(good_dir, 8), **fit_options, defects="simple").manifest.selection is not None
    with pytest.raises(fs.FlawsightError, match="the list holds no good images"):
        fs.fit([], **fit_options)


def test_a_bad_image_is_named_before_long_work_begins(good_dir: Path, fit_options: dict, tmp_path: Path) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes(few(good_dir, 1)[0].read_bytes()[:900])
    with pytest.raises(fs.FlawsightError, match=r"broken\.png"):
        fs.fit([*few(good_dir, 9), bad], tmp_path / "out", **fit_options)
    assert not list((tmp_path / "out").glob("*.json"))
