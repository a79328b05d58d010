"""The picture of the house is that of the import contracts, and shows what they say."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "architecture.py"
CONTRACTS = [
    {"name": "Floors", "layers": ["detectors | generation", "features", "metrics", "data"]},
    {"name": "The line needs no torch", "source_modules": ["flawsight.metrics", "flawsight.data"]},
]


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_up_to_date(architecture: ModuleType) -> None:
    """If this fails: python docs/architecture.py."""
    assert architecture.PICTURE.read_text(encoding="utf-8") == architecture.picture()


def test_floors_and_the_line(architecture: ModuleType) -> None:
    drawn = architecture.draw(architecture.floors(CONTRACTS))
    ElementTree.fromstring(drawn)
    tops = dict(re.findall(r'class="name" x="[\d.]+" y="(\d+)">(\w+)<', drawn))
    assert list(tops.values()) == ["generation", "features", "metrics", "data"]  # detectors: at generation's height
    line = int(re.findall(r'<path d="M\d+ (\d+)', drawn)[0])
    assert [name for top, name in tops.items() if int(top) > line] == ["metrics", "data"]
    assert drawn.count(architecture.TORCH[0]) == 3 + 1  # rooms, and the legend
    assert "numbers out" in drawn  # purposes are there


def test_without_torch_at_all_there_is_no_line(architecture: ModuleType) -> None:
    house = [[architecture.Room("data", "Pictures & <files>", False)]]
    drawn = architecture.draw(house)
    assert "<path" not in drawn and "Pictures &amp; &lt;files&gt;" in drawn
