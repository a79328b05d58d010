"""The table of MVTec LOCO AD: which values are one defect, and how much of it is enough."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import Sample, SaturationRules, read_saturation_rules

TABLE = [
    {"defect_name": "missing part", "pixel_value": 255, "saturation_threshold": 30, "relative_saturation": False},
    {"defect_name": "swapped", "pixel_value": 254, "saturation_threshold": 0.5, "relative_saturation": True},
]


@pytest.fixture
def rules(tmp_path: Path) -> SaturationRules:
    (tmp_path / "defects_config.json").write_text(json.dumps(TABLE), encoding="utf-8")
    found = read_saturation_rules(tmp_path)
    assert found is not None
    return found


def test_areas_are_absolute_up_to_the_whole_or_a_share_in_whole_pixels(rules: SaturationRules) -> None:
    assert [rules.saturation(255, area) for area in (1, 30, 99)] == [1, 30, 30]
    assert [rules.saturation(254, area) for area in (1, 7, 100)] == [1, 3, 50]


def test_each_value_of_each_file_is_one_defect_in_however_many_pieces(rules: SaturationRules, tmp_path: Path) -> None:
    first, second = np.zeros((10, 12), np.uint8), np.zeros((10, 12), np.uint8)
    first[1, 1], first[8, 8:10], first[3:5, 3:6] = 254, 254, 255
    second[3:9, 3:11] = 255
    for name, values in (("0", first), ("1", second)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    sample = Sample(tmp_path / "x.png", 1, (tmp_path / "0.png", tmp_path / "1.png"))
    found = list(rules.defects(sample, (10, 12)))
    expected = [(first == 254, 1), (first == 255, 6), (second == 255, 30)]
    assert [area for _, area in found] == [area for _, area in expected]
    assert all((one == other).all() for (one, _), (other, _) in zip(found, expected, strict=True))
    assert list(rules.defects(Sample(tmp_path / "x.png", 0), (10, 12))) == []
    with pytest.raises(FlawsightError, match="size of its image"):
        list(rules.defects(sample, (12, 10)))


def test_without_a_table_there_are_no_rules(tmp_path: Path) -> None:
    assert read_saturation_rules(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"pixel_value": 255}]', json.dumps([{**TABLE[0], "pixel_value": 0}])]
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "defects_config.json").write_text(text, encoding="utf-8")
    with pytest.raises(FlawsightError, match=r"defects_config\.json"):
        read_saturation_rules(tmp_path)
