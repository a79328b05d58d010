"""The command line as people and scripts meet it: exit codes, one-line errors, JSON, a quiet pipe, Ctrl-C."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from flawsight import cli
from flawsight.cli.options import parameters_of
from flawsight.cli.terminal import FIGURES
from flawsight.generation import PRESETS

VERBS = ("fit", "inspect", "evaluate", "layers", "synthesize", "demo")
QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")


@dataclass
class Done:
    code: int
    out: str
    err: str

    def refused(self, *parts: str) -> None:
        """Exit code 2, nothing on standard output, and one line that says all of `parts`."""
        assert self.code == 2, self.err
        assert self.out == ""
        assert self.err.startswith("flawsight: ") and len(self.err.strip().splitlines()) == 1, self.err
        for part in parts:
            assert part in self.err


@pytest.fixture
def flawsight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command line, run in this process: `flawsight("layers", "--json")`."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["flawsight", *map(str, arguments)])
        handler = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            signal.signal(signal.SIGINT, handler)
        captured = capsys.readouterr()
        return Done(int(end.value.code or 0), captured.out, captured.err)

    return call


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    code = "from flawsight.cli.app import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def run(*arguments: object) -> Done:
    """The command line in a process of its own, in a pipe."""
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    return Done(process.returncode, out, err)


def test_version(flawsight: Callable) -> None:
    done = flawsight("--version")
    assert done.code == 0 and re.fullmatch(r"flawsight \d+\.\d+\.\d+\S*\n", done.out)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_with_an_example(flawsight: Callable, verb: str) -> None:
    done = flawsight(verb, "--help")
    assert done.code == 0
    assert f"flawsight {verb}" in done.out.split("Example:")[1]
    assert "--json" in done.out


def test_help_lists_the_verbs(flawsight: Callable) -> None:
    done = flawsight("--help")
    assert done.code == 0 and all(verb in done.out for verb in VERBS)


def test_layers(flawsight: Callable) -> None:
    document = json.loads(flawsight("layers", "resnet18", "--image-size", 64, "--json").out)
    names = [layer["name"] for layer in document["layers"]]
    assert "layer2.0.conv1" in names and len(set(names)) == len(names)
    assert [layer["order"] for layer in document["layers"]] == sorted(layer["order"] for layer in document["layers"])
    shown = flawsight("layers", "resnet18", "--image-size", 64)
    assert shown.code == 0 and all(name in shown.out.split() for name in names)


@pytest.fixture(scope="module")
def from_pipe(good_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A fit in a process of its own."""
    out = tmp_path_factory.mktemp("cli") / "a folder [old] of bundles with quite a long name, longer than a terminal"
    return out, run("fit", good_dir, "--out", out, *QUICK, "--json")


def test_fit_in_a_pipe_prints_json_and_nothing_else(from_pipe: tuple[Path, Done]) -> None:
    out, done = from_pipe
    assert done.code == 0 and done.err == ""
    document = json.loads(done.out)
    assert document["bundle"] == str(out) and document["images"] == 24
    assert document["detectors"] == ["patchcore"] * len(document["layers"]) and document["untried"] == 0
    assert document["report"] == str(out / "report.html")
    assert document["threshold"] > 0 and document["false_alarm_rate"] == pytest.approx(1 / 25)
    assert all(layer.startswith("blocks.3.0.") for layers in document["layers"] for layer in layers)
    assert {path.name for path in out.iterdir()} == {
        "inspector.json", "network.safetensors", "detectors.safetensors", "selection.csv", "report.html",
    }  # fmt: skip


def test_fit_for_people(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "a folder [old] of bundles with quite a long name, longer than a terminal [/is]"
    done = flawsight("fit", good_dir, "--out", out, *QUICK)
    assert done.code == 0
    assert "24 good images" in done.out and "99" in done.out  # how many would support 1 %
    assert f"Bundle: {out}\n" in done.out and f"Report: {out / 'report.html'}\n" in done.out


def test_a_limit_of_memory_changes_nothing_else(
    flawsight: Callable, good_dir: Path, from_pipe: tuple[Path, Done], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert flawsight("fit", good_dir, "--out", out, *QUICK, "--max-memory", "3G").code == 0
    assert json.loads((out / "inspector.json").read_text()) == json.loads((from_pipe[0] / "inspector.json").read_text())


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
            "bundle", "report", "detectors", "untried", "layers", "threshold", "false_alarm_rate", "images",
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
        options = ("fit", good_dir, "--out", tmp_path / "out", *QUICK, "--detector", detector)
        done = flawsight(*options)
        assert done.code == 0, done.err
        assert ("scores whole images" in done.out) is not localises
        assert "for want of time" not in done.out
        if detector == "pictures":
            assert "Reads: picture (pictures)" in done.out and "report.html" in done.out
            document = json.loads(flawsight(*options, "--overwrite", "--json").out)
            assert (
                document["report"].endswith("report.html")
                and document["layers"] == [["picture"]]
                and document["untried"] == 0
            )

    @pytest.mark.parametrize(
        ("options", "parts"),
        [
            (("--parameter", "channels"), ("--parameter 'channels'", "epochs=40")),
            (("--parameter", "=3"), ("--parameter '=3'",)),
            (("--parameter", "channels=[1"), ("--parameter 'channels=[1'", "not a value")),
            (("--parameter", "chanels=3"), ("distance", "no parameter 'chanels'")),
            (("--parameter", "scorer.channels=3"), ("no parameter 'scorer.channels'",)),
            (("--parameter", "distance.chanels=3"), ("'distance' has no parameter 'chanels'", "channels")),
            (("--detector", "distance,pictures"), ("cannot be compared",)),
            (("--detector", "distance,nonsuch"), ("unknown detector 'nonsuch'",)),
            (("--detector", "classifier"), ("'classifier' learns from labelled defects",)),
            (("--budget", "0"), ("budget 0", "minutes above 0")),
            (("--budget", "-3"), ("budget -3", "minutes above 0")),
            (("--budget", "5", "--search", "exhaustive"), ("leave the budget out",)),
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
        assert json.loads(one) == {"name": "scorer", "parameters": {**expected, "seed": 0}}

    def test_the_command_line_replaces_a_config_files_parameters(
        self, flawsight: Callable, good_dir: Path, tmp_path: Path
    ) -> None:
        config, out = tmp_path / "c.yaml", tmp_path / "out"
        config.write_text("detector: distance, scorer\nparameter: [channels=6]\n")
        options = ("--detector", "distance", "--parameter", "power=1.0")
        done = flawsight("fit", good_dir, "--config", config, "--out", out, *QUICK, *options)
        assert done.code == 0, done.err
        member, *_ = json.loads((out / "inspector.json").read_text())["members"]
        assert member["detector"] == {"name": "distance", "parameters": {"channels": 8, "power": 1.0, "seed": 0}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a=40", "b=0.5", "c=true", "d=null", "e=word"], {"a": 40, "b": 0.5, "c": True, "d": None, "e": "word"}),
        (["f=a=b", "g= 3"], {"f": "a=b", "g": 3}),
        (["x.y=1e-3", "z=[1, 2]", "t=5E4"], {"x.y": 1e-3, "z": [1, 2], "t": 5e4}),
        (["a=1", "a=2"], {"a": 2}),
        ([], {}),
    ],
)
def test_values_of_parameters(given: list[str], expected: dict) -> None:
    found = parameters_of(given)
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


def test_two_real_detectors_in_a_process_of_its_own(good_dir: Path, tmp_path: Path) -> None:
    options = ("--detector", "patchcore,gaussian", "--parameter", "patchcore.bank_size=50", "--budget", "5")
    done = run("fit", good_dir, "--out", tmp_path / "out", *QUICK, *options, "--json")
    assert done.code == 0 and done.err == ""
    assert set(json.loads(done.out)["detectors"]) <= {"patchcore", "gaussian"}
    selection = json.loads((tmp_path / "out" / "inspector.json").read_text())["selection"]
    assert selection["detectors"] == ["patchcore", "gaussian"] and selection["untried"] == 0


def test_inspect(flawsight: Callable, bundle: Path, texture: Callable, spoiled: Callable, tmp_path: Path) -> None:
    for name, image in (("a", texture(100)), ("b", spoiled(1))):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    (tmp_path / "more").mkdir()
    Image.fromarray(texture(101)).save(tmp_path / "more" / "c.png")
    given = (tmp_path / "b.png", tmp_path / "a.png", tmp_path / "more")
    done = flawsight("inspect", bundle, *given, "--out", tmp_path / "out", "--json")
    document = json.loads(done.out)
    assert done.code == 0 and done.err == ""
    assert [Path(row["path"]).stem for row in document["results"]] == ["b", "a", "c"]
    assert document["results"][0]["verdict"] == "defective"
    assert document["good"] + document["defective"] == 3 and document["error"] == 0
    assert len(list((tmp_path / "out" / "heatmaps").iterdir())) == 3
    shown = flawsight("inspect", bundle, *given, "--out", tmp_path / "out")
    assert shown.code == 0 and f"{document['good']} good, {document['defective']} defective" in shown.out


def test_one_bad_image_does_not_stop_the_rest(
    flawsight: Callable, bundle: Path, texture: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(texture(100 + number)).save(folder / f"{number}.png")
    (folder / "1b.png").write_text("no picture")
    done = flawsight("inspect", bundle, folder, "--out", tmp_path / "out", "--json")
    assert done.code == 2
    document = json.loads(done.out)
    assert [row["verdict"] == "error" for row in document["results"]] == [False, False, True, False]
    assert document["error"] == 1 and "1b.png" in done.err and "Traceback" not in done.err
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open()))
    assert rows[2]["verdict"] == "error" and "1b.png" in rows[2]["reason"] and rows[2]["score"] == ""
    assert len(list((tmp_path / "out" / "heatmaps").iterdir())) == 3


def test_evaluate(flawsight: Callable, bundle: Path, labelled_set: Path, tmp_path: Path) -> None:
    done = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out", "--json")
    assert done.code == 0 and done.err == ""
    document = json.loads(done.out)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == document
    assert set(FIGURES) | {"images", "kinds"} <= set(document) and document["images"] == 7
    shown = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out", "--resolution", 64)
    assert shown.code == 0 and "spot" in shown.out and all(name in shown.out for name in FIGURES)


def test_synthesize(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    done = flawsight("synthesize", good_dir, "--defects", "nsa,simple", "--out", tmp_path / "out", "--json")
    assert done.code == 0 and set(json.loads(done.out)["kinds"]) == {"nsa", "simple"}
    again = flawsight("synthesize", good_dir, "--out", tmp_path / "out")
    again.refused("already holds", "--overwrite")
    shown = flawsight("synthesize", good_dir, "--object", "--out", tmp_path / "out", "--overwrite")
    assert shown.code == 0 and str(tmp_path / "out" / "test" / "nsa") in shown.out


def test_synthesize_with_a_generator(
    flawsight: Callable, good_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(
        PRESETS["small"], side=16, patch=4, widths=(16,), attention=0, norm_groups=4, head=8, sampling_steps=10
    )
    monkeypatch.setitem(PRESETS, "small", tiny)
    options = ("--defects", "sdas,perlin", "--textures", good_dir, "--strength", "0.1:0.3", "--generator-steps", 1)
    where = ("--generator", tmp_path / "generator", "--count", 2, "--foreground", "all", "--out", tmp_path / "out")
    done = flawsight("synthesize", good_dir, *options, *where)
    assert done.code == 0 and "Mind: " in done.out and "foreground.png" in done.out
    assert "2 images with 'sdas' defects" in done.out and "2 images with 'perlin' defects" in done.out
    assert (tmp_path / "generator" / "generator.json").exists() and not (tmp_path / "out" / "generator").exists()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--strength", "weak", "0.1:0.2"),
        ("--strength", "0.2:0.1", "low <= high"),
        ("--strength", "0.1:0.2:0.3", "0.1:0.2"),
        ("--foreground", "dark", "BRIGHTNESS:THRESHOLD"),
        ("--foreground", "20:", "--foreground"),
        ("--generator-preset", "huge", "small or paper"),
        ("--textures", "nowhere", "perlin"),
    ],
)
def test_synthesize_refuses(
    flawsight: Callable, good_dir: Path, tmp_path: Path, option: str, value: str, says: str
) -> None:
    kind = "simple" if option in ("--foreground", "--textures") else "sdas"
    flawsight("synthesize", good_dir, "--defects", kind, option, value, "--out", tmp_path / "out").refused(says)
    assert not (tmp_path / "out" / "synthetic.csv").exists()


class TestBadInput:
    """Every mistake is one line, exit code 2, and no traceback."""

    @pytest.fixture
    def fit(self, flawsight: Callable, good_dir: Path, tmp_path: Path) -> Callable[..., Done]:
        return lambda *more, good=good_dir: flawsight("fit", good, "--out", tmp_path / "out", *QUICK, *more)

    def test_in_a_process_of_its_own(self, tmp_path: Path) -> None:
        run("fit", tmp_path / "nowhere", "--out", tmp_path / "out").refused("nowhere")

    def test_folders(self, fit: Callable, tmp_path: Path) -> None:
        fit(good=tmp_path / "nowhere").refused("nowhere")
        (tmp_path / "empty").mkdir()
        fit(good=tmp_path / "empty").refused("empty", "no image")

    @pytest.mark.parametrize("content", [b"", b"some text"])
    def test_files_that_are_no_images(self, fit: Callable, good_dir: Path, tmp_path: Path, content: bytes) -> None:
        folder = Path(shutil.copytree(good_dir, tmp_path / "good"))
        (folder / "zz_bad.png").write_bytes(content)
        fit(good=folder).refused("zz_bad.png", "remove or replace")

    def test_too_large_an_image(self, fit: Callable) -> None:
        fit("--max-pixels", 5000).refused("7,680", "--max-pixels")

    @pytest.mark.parametrize(
        ("options", "parts"),
        [
            (("--extractor", "tf_eficientnet_lite0"), ("did you mean", "tf_efficientnet_lite0")),
            (("--layers", "blocks.3.0.bnn1"), ("blocks.3.0.bnn1", "nearest", "blocks.3.0.bn1")),
            (("--weights", "nowhere.pth"), ("nowhere.pth", "--weights")),
            (("--false-alarm-rate", "1.5"), ("1.5", "between 0 and 1")),
            (("--false-alarm-rate", "0"), ("between 0 and 1",)),
            (("--defects", "nonsuch"), ("nonsuch", "cutpaste")),
            (("--search", "nonsuch"), ("nonsuch", "exhaustive")),
            (("--detector", "patchcor"), ("patchcor", "patchcore")),
            (("--layout", "nonsuch"), ("nonsuch", "mvtec")),
            (("--device", "cuda:77"), ("cuda:77", "--device cpu")),
            (("--extractor", "keras:resnet"), ("keras", "timm:NAME")),
            (("--max-memory", "lots"), ("--max-memory", "lots", "4G")),
            (("--max-memory", "-1G"), ("--max-memory", "-1G")),
            (("--max-memory", ""), ("--max-memory", "not a size")),
        ],
    )
    def test_options(self, fit: Callable, options: tuple[str, str], parts: tuple[str, ...]) -> None:
        fit(*options).refused(*parts)

    @pytest.mark.parametrize("options", [("--seed", "-1"), ("--image-size", "x"), ("--fuse", "0"), ("--nonsuch",)])
    def test_what_the_parser_refuses(self, fit: Callable, options: tuple[str, ...]) -> None:
        done = fit(*options)
        assert done.code == 2 and options[0] in done.err and "Traceback" not in done.err

    def test_too_little_memory(self, fit: Callable) -> None:
        done = fit("--max-memory", "1M")
        done.refused("too little", "taken already")
        assert re.search(r"--max-memory \d+\.\dG or more", done.err)

    def test_weights_that_do_not_belong(self, fit: Callable, bundle: Path, tmp_path: Path) -> None:
        fit("--weights", bundle / "detectors.safetensors").refused("detectors.safetensors", "do not belong")
        (tmp_path / "w.pth").write_text("text")
        fit("--weights", tmp_path / "w.pth").refused("w.pth", ".safetensors")

    def test_an_existing_bundle(self, flawsight: Callable, bundle: Path, good_dir: Path) -> None:
        flawsight("fit", good_dir, "--out", bundle, *QUICK).refused(str(bundle), "--overwrite")

    def test_an_output_that_is_a_file(self, flawsight: Callable, bundle: Path, good_dir: Path, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_text("x")
        flawsight("fit", good_dir, "--out", file, *QUICK).refused("cannot write", "--out")
        flawsight("inspect", bundle, good_dir, "--out", file).refused("cannot write")
        flawsight("evaluate", bundle, good_dir, "--out", file).refused()

    def test_a_damaged_bundle(self, flawsight: Callable, bundle: Path, good_dir: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
        (copy / "network.safetensors").write_bytes(b"x")
        for verb in ("inspect", "evaluate"):
            given = (copy, good_dir if verb == "inspect" else tmp_path)
            flawsight(verb, *given, "--out", tmp_path / "out").refused()
        flawsight("inspect", copy, good_dir, "--out", tmp_path / "out").refused("network.safetensors", "changed")
        flawsight("inspect", tmp_path, good_dir, "--out", tmp_path / "out").refused("no bundle")

    @pytest.mark.parametrize("resolution", ["0", "big", "-5", "²", "3.5"])
    def test_resolution(
        self, flawsight: Callable, bundle: Path, labelled_set: Path, tmp_path: Path, resolution: str
    ) -> None:
        done = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out", f"--resolution={resolution}")
        done.refused(resolution, "native")

    def test_nothing_labelled_to_evaluate(
        self, flawsight: Callable, bundle: Path, good_dir: Path, tmp_path: Path
    ) -> None:
        flawsight("evaluate", bundle, good_dir, "--out", tmp_path / "out").refused("no labelled test images")

    def test_an_unknown_network(self, flawsight: Callable) -> None:
        flawsight("layers", "resnet19").refused("resnet19", "resnet18")


class TestConfig:
    def test_it_counts_and_the_command_line_wins(self, flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
        config = tmp_path / "c.yaml"
        config.write_text(
            "image-size: 64\nlayers: ['blocks.3.0.bn?', blocks.1.0.bn3]\ndefects: [simple, cutpaste]\nfuse: 1\n"
            "seed: 5\nfalse-alarm-rate: 0.2\ndevice: cpu\nsearch: exhaustive\n"
        )
        out = tmp_path / "out"
        done = flawsight("fit", good_dir, "--config", config, "--out", out, "--defects", "simple", "--json")
        assert done.code == 0, done.err
        document = json.loads((out / "inspector.json").read_text())
        assert document["extractor"]["image_size"] == 64
        assert document["selection"]["layers_tried"] == 4 and document["selection"]["search"] == "exhaustive"
        assert document["selection"]["defects"] == ["simple"]
        assert document["seed"] == 5 and document["working_point"]["requested_rate"] == 0.2
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


def test_an_interrupted_fit_goes_on(good_dir: Path, from_pipe: tuple[Path, Done], tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("fit", good_dir, "--out", out, *QUICK, "--json")
    process = start(*options)
    trials = out / ".search"
    deadline = time.monotonic() + 120
    while not list(trials.glob("coarse-*.npz")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    if process.returncode == 0:
        pytest.skip("the fit was done before it could be interrupted")
    assert process.returncode == 130
    assert "interrupted" in err and "Traceback" not in err
    assert not (out / "inspector.json").exists()
    assert list(trials.glob("*.npz"))
    again = run(*options)
    assert again.code == 0, again.err
    first, _ = from_pipe
    assert json.loads((out / "inspector.json").read_text()) == json.loads((first / "inspector.json").read_text())
    assert not trials.exists()


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "torch.py"
    blocker.write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = start("layers", env=environment)
    out, err = process.communicate(timeout=60)
    Done(process.returncode, out, err).refused("'torch'", "flawsight[fit]")


def test_the_demo_holds_out_what_it_judges_by() -> None:
    pytest.importorskip("elpv_dataset")
    from flawsight.cli.demo import GOOD_TO_LEARN, HELD_OUT_EACH, _cells

    learn, good, defective = _cells()
    assert (len(learn), len(good), len(defective)) == (GOOD_TO_LEARN, HELD_OUT_EACH, HELD_OUT_EACH)
    assert len({*learn, *good, *defective}) == GOOD_TO_LEARN + 2 * HELD_OUT_EACH
    assert all(path.is_file() for path in (*learn, *good, *defective))
    assert _cells() == (learn, good, defective)


def test_the_demo_without_its_pictures(flawsight: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    flawsight("demo", "--out", tmp_path / "out").refused("flawsight[demo]")
