"""Options from a file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")


class TestConfig:
    def test_it_counts_and_the_command_line_wins(self, flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
        config = tmp_path / "c.yaml"
        config.write_text(
            "image-size: 64\nlayers: ['blocks.3.0.bn?', blocks.1.0.bn3]\ndefects: [simple, cutpaste]\nfuse: 1\n"
            "seed: 5\nfalse-alarm-rate: 0.2\ndevice: cpu\nsearch: exhaustive\n"
        )
        out, rest = tmp_path / "out", ("--export", "none")
        done = flawsight("fit", good_dir, "--config", config, "--out", out, "--defects", "simple", "--json", *rest)
        assert done.code == 0, done.err
        document = json.loads((out / "inspector.json").read_text())
        assert document["extractor"]["image_size"] == 64
        assert document["selection"]["layers_tried"] == 4 and document["selection"]["search"] == "exhaustive"
        assert document["selection"]["defects"] == ["simple"]
        assert document["seed"] == 5 and document["operating_point"]["requested_rate"] == 0.2
        assert len(json.loads(done.out)["layers"]) == 1

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("image_sise: 64", "image_sise"),
            ("- 1", "option: value"),
            ("", "option: value"),
            ("a: [", "cannot be read"),
            ("1: 2", "'1'"),
        ],
    )
    def test_bad_files(self, flawsight: Callable, good_dir: Path, tmp_path: Path, text: str, part: str) -> None:
        config = tmp_path / "c.yaml"
        config.write_text(text)
        flawsight("fit", good_dir, "--out", tmp_path / "out", "--config", config).refused("c.yaml", part)

    def test_a_missing_file_and_a_wrong_value(self, flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
        config = tmp_path / "c.yaml"
        flawsight("fit", good_dir, "--out", tmp_path / "out", "--config", config).refused("c.yaml", "cannot be read")
        config.write_text("image-size: large")
        done = flawsight("fit", good_dir, "--out", tmp_path / "out", "--config", config)
        assert done.code == 2 and "--image-size" in done.err and "Traceback" not in done.err
