"""Every mistake is one line, exit code 2, and no traceback."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")


class TestBadInput:
    """Every mistake is one line, exit code 2, and no traceback."""

    @pytest.fixture
    def fit(self, flawsight: Callable, good_dir: Path, tmp_path: Path) -> Callable:
        return lambda *more, good=good_dir: flawsight("fit", good, "--out", tmp_path / "out", *QUICK, *more)

    def test_in_a_process_of_its_own(self, run: Callable, tmp_path: Path) -> None:
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
            (("--layers", "blocks.3.0.bnn1"), ("blocks.3.0.bnn1", "did you mean", "blocks.3.0.bn1")),
            (("--weights", "nowhere.pth"), ("nowhere.pth", "--weights")),
            (("--false-alarm-rate", "1.5"), ("--false-alarm-rate '1.5'", "less than 1")),
            (("--false-alarm-rate", "0"), ("--false-alarm-rate '0.0'", "greater than 0")),
            (("--defects", "nonsuch"), ("nonsuch", "cutpaste")),
            (("--search", "nonsuch"), ("nonsuch", "exhaustive")),
            (("--detector", "patchcor"), ("patchcor", "patchcore")),
            (("--layout", "nonsuch"), ("nonsuch", "mvtec")),
            (("--device", "cuda:77"), ("cuda:77", "--device cpu")),
            (("--extractor", "keras:resnet"), ("keras", "known: torchvision, timm")),
            (("--max-memory", "lots"), ("--max-memory 'lots'", "4G")),
            (("--max-memory", "-1G"), ("--max-memory", "-1G")),
            (("--max-memory", ""), ("--max-memory ''", "parse")),
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
        flawsight("fit", good_dir, "--out", file, *QUICK).refused("cannot write", "another folder")
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
