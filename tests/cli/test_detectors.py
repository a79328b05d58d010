"""Which method, with which parameters, in how much time."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")


QUICK_IMAGES = ("--image-size", "64", "--device", "cpu")


BOTH = ("--detector", "distance,scorer", "--parameter", "channels=6", "--parameter", "scorer.power=1.5")


@pytest.mark.usefixtures("quick_detectors")
class TestDetectors:
    """Which method, with which parameters, in how much time."""

    def test_several_with_parameters_and_a_budget(self, flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        done = flawsight("fit", good_dir, "--out", out, *QUICK, *BOTH, "--budget", 30, "--json")
        assert done.code == 0, done.err
        document, manifest = json.loads(done.out), json.loads((out / "inspector.json").read_text())
        assert set(document) == {
            "bundle", "report", "detectors", "untried", "layers", "threshold", "false_alarm_rate", "images", "pictures",
            "parts", "pod", "skipped", "suspects", "view", "warnings",
        }  # fmt: skip
        assert document["untried"] == manifest["selection"]["untried"] == 0
        assert manifest["selection"]["detectors"] == ["distance", "scorer"]
        assert document["detectors"] == [member["detector"]["name"] for member in manifest["members"]]
        assert document["layers"] == [member["layers"] for member in manifest["members"]]
        power = {"distance": 2.0, "scorer": 1.5}
        for member in manifest["members"]:
            expected = {"channels": 6, "power": power[member["detector"]["name"]], "seed": 0}
            assert member["detector"]["parameters"] == expected
        rows = list(csv.DictReader((out / "selection.csv").open()))
        assert {row["detector"] for row in rows} == {"distance", "scorer"}
        assert not (out / ".search").exists()
        found = json.loads(flawsight("inspect", out, good_dir, "--out", tmp_path / "results", "--json").out)
        assert found["good"] + found["defective"] == 24

    def test_for_people(self, flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        done = flawsight("fit", good_dir, "--out", out, *QUICK, *BOTH, "--budget", "0.0001")
        assert done.code == 0, done.err
        manifest = json.loads((out / "inspector.json").read_text())
        untried = manifest["selection"]["untried"]
        said = f"{untried} candidates were not tried, or not in full, for want of time: see --budget."
        assert untried > 0 and said in done.out
        members = manifest["members"]
        reads = ", ".join(f"{one['layers'][0]} ({one['detector']['name']})" for one in members)
        assert f"Reads: {reads}\n" in done.out

    @pytest.mark.parametrize(("detector", "localises"), [("one_value", False), ("pictures", True)])
    def test_what_cannot_be_shown_is_said(
        self, flawsight: Callable, good_dir: Path, tmp_path: Path, detector: str, localises: bool
    ) -> None:
        quick = QUICK_IMAGES if detector == "pictures" else QUICK
        options = ("fit", good_dir, "--out", tmp_path / "out", *quick, "--detector", detector)
        done = flawsight(*options)
        assert done.code == 0, done.err
        assert ("scores whole images" in done.out) is not localises
        assert "for want of time" not in done.out
        if detector == "pictures":
            assert "Reads: image (pictures)" in done.out and "report.html" in done.out
            document = json.loads(flawsight(*options, "--overwrite", "--json").out)
            assert (
                document["report"].endswith("report.html")
                and document["layers"] == [["image"]]
                and document["untried"] == 0
            )

    @pytest.mark.parametrize(
        ("options", "parts"),
        [
            (("--parameter", "channels"), ("--parameter", "'channels'", "epochs=40")),
            (("--parameter", "=3"), ("--parameter", "'=3'")),
            (("--parameter", "channels=[1"), ("--parameter", "'channels=[1'", "not a value")),
            (("--parameter", "chanels=3"), ("distance", "no parameter 'chanels'")),
            (("--parameter", "scorer.channels=3"), ("no parameter 'scorer.channels'",)),
            (
                ("--parameter", "distance.chanels=3"),
                ("unknown parameter of the detector 'distance' 'chanels'", "did you mean channels"),
            ),
            (("--detector", "distance,pictures"), ("cannot be compared",)),
            (("--detector", "distance,nonsuch"), ("unknown detector 'nonsuch'",)),
            (("--detector", "classifier"), ("'classifier' learns from labelled defects",)),
            (("--budget", "0"), ("--budget '0.0'", "greater than 0")),
            (("--budget", "-3"), ("--budget '-3.0'", "greater than 0")),
            (("--budget", "5", "--search", "exhaustive"), ("--budget has no effect here", "leave it out")),
        ],
    )
    def test_mistakes(
        self, flawsight: Callable, good_dir: Path, tmp_path: Path, options: tuple[str, ...], parts: tuple[str, ...]
    ) -> None:
        done = flawsight("fit", good_dir, "--out", tmp_path / "out", *QUICK, "--detector", "distance", *options)
        done.refused(*parts)

    @pytest.mark.parametrize(
        ("parameter", "expected"),
        [
            ("[channels=6, 'scorer.power=1.5']", {"channels": 6, "power": 1.5}),
            ("channels=6", {"channels": 6, "power": 2.0}),
            ("[]", {"channels": 8, "power": 2.0}),
        ],
    )
    def test_a_config_file(
        self, flawsight: Callable, good_dir: Path, tmp_path: Path, parameter: str, expected: dict
    ) -> None:
        config, out = tmp_path / "c.yaml", tmp_path / "out"
        config.write_text(f"detector: [scorer]\nparameter: {parameter}\nbudget: 30\n")
        done = flawsight("fit", good_dir, "--config", config, "--out", out, *QUICK)
        assert done.code == 0, done.err
        (one,) = {json.dumps(m["detector"]) for m in json.loads((out / "inspector.json").read_text())["members"]}
        found = json.loads(one)
        assert (found["name"], found["parameters"]) == ("scorer", {**expected, "seed": 0})

    def test_the_command_line_replaces_a_config_files_parameters(
        self, flawsight: Callable, good_dir: Path, tmp_path: Path
    ) -> None:
        config, out = tmp_path / "c.yaml", tmp_path / "out"
        config.write_text("detector: distance, scorer\nparameter: [channels=6]\n")
        options = ("--detector", "distance", "--parameter", "power=1.0")
        done = flawsight("fit", good_dir, "--config", config, "--out", out, *QUICK, *options)
        assert done.code == 0, done.err
        member, *_ = json.loads((out / "inspector.json").read_text())["members"]
        assert member["detector"]["name"] == "distance"
        assert member["detector"]["parameters"] == {"channels": 8, "power": 1.0, "seed": 0}
