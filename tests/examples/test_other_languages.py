"""The example programs of other languages answer as Python does; each is left out where it cannot be built."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.data import read_image
from flawsight.report.heatmap import overlay

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
VECTORS = ROOT / "docs" / "test-vectors"
Command = list[str]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=300)


def needed(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def cpp(folder: Path, runtime: str, *options: str) -> Command:
    needed("cmake", "c++")
    done = run("cmake", "-S", EXAMPLES / "cpp", "-B", folder, f"-DRUNTIME={runtime}", *options)
    if done.returncode and "could not find" in done.stderr.lower():
        pytest.skip(done.stderr.strip().splitlines()[1].strip())
    assert done.returncode == 0, done.stderr
    done = run("cmake", "--build", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return [str(folder / "inspect")]


def cpp_onnxruntime(folder: Path) -> Command:
    return cpp(folder, "onnxruntime")


def cpp_openvino(folder: Path) -> Command:
    wheel = find_spec("openvino")
    return cpp(folder, "openvino", *([f"-DOpenVINO_DIR={Path(wheel.origin).parent / 'cmake'}"] if wheel else []))


def javascript(folder: Path) -> Command:
    del folder
    needed("node")
    if not (EXAMPLES / "javascript" / "node_modules").is_dir():
        pytest.skip("its packages are not installed: npm ci --prefix examples/javascript")
    return ["node", str(EXAMPLES / "javascript" / "inspect.mjs")]


def csharp(folder: Path) -> Command:
    needed("dotnet")
    if not (EXAMPLES / "csharp" / "obj" / "project.assets.json").is_file():
        pytest.skip("its packages are not installed: dotnet restore examples/csharp")
    done = run("dotnet", "build", "--no-restore", "-c", "Release", "-o", folder, EXAMPLES / "csharp")
    assert done.returncode == 0, done.stdout
    return ["dotnet", str(folder / "inspect.dll")]


@pytest.fixture(scope="module")
def pictures(texture: Callable, spoiled: Callable, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Good and defective, grey, larger, turned, opaque, JPEG, and of a name that has to be quoted."""
    folder = tmp_path_factory.mktemp("pictures")
    turned = Image.Exif()
    turned[0x0112] = 8
    made = {
        "good.png": Image.fromarray(texture(700)),
        'spot, "bright".png': Image.fromarray(spoiled(701)),
        "larger.png": Image.fromarray(texture(702, (100, 124))),
        "photo.jpg": Image.fromarray(spoiled(703, (160, 192))),
        "turned.jpg": Image.fromarray(np.ascontiguousarray(np.rot90(texture(704), -1))),
        "grey.png": Image.fromarray(texture(705)).convert("L"),
        "opaque.png": Image.fromarray(texture(706)).convert("RGBA"),
    }
    for name, image in made.items():
        image.save(folder / name, quality=92, exif=turned if name == "turned.jpg" else Image.Exif())
    return [folder / name for name in made]


@pytest.fixture(scope="module")
def of_lower_precision(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose graph has a threshold and calibration scores of its own."""
    copy = tmp_path_factory.mktemp("own") / "bundle"
    shutil.copytree(bundle, copy)
    manifest = json.loads((copy / "inspector.json").read_text(encoding="utf-8"))
    scores = manifest["calibration"]["scores"]
    manifest["runtime"]["operating_point"] = {**manifest["operating_point"], "threshold": scores[3]}
    manifest["runtime"]["calibration_scores"] = [score / 2 for score in scores]
    (copy / "inspector.json").write_text(json.dumps(manifest), encoding="utf-8")
    return copy


VIEWS = {
    "whole": {"view": "whole"},
    "tiles": {"view": "tiles", "image_size": 32, "overlap": 0.3},
    "enlarged tiles": {"view": "tiles", "tile": 48},
    "own scores": {"view": "tiles", "tile": 70, "overlap": 0.0, "detector": "knn"},
}


@pytest.fixture(scope="module")
def of_views(good_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], dict[str, Path]]:
    """Bundles that do not squash pictures, made once for whoever can be built."""

    @cache
    def made() -> dict[str, Path]:
        folder = tmp_path_factory.mktemp("views")
        for name, options in VIEWS.items():
            usual = {"image_size": 64, "fixed_layers": "blocks.2.1.add", "device": "cpu", "false_alarm_rate": 0.05}
            fs.fit(good_dir, folder / name, **usual | options)
        return {name: folder / name for name in VIEWS}

    return made


def changed(bundle: Path, folder: Path, **values: object) -> Path:
    """A copy of the bundle that says something else."""
    shutil.copytree(bundle, folder)
    manifest = json.loads((folder / "inspector.json").read_text(encoding="utf-8"))
    (folder / "inspector.json").write_text(json.dumps({**manifest, **values}), encoding="utf-8")
    return folder


def check_resize(command: Command, folder: Path) -> None:
    told = json.loads((VECTORS / "vectors.json").read_text(encoding="utf-8"))
    for row in told["vectors"]:
        done = run(*command, "--resize", told["side"], VECTORS / row["picture"], folder / row["square"])
        assert done.returncode == 0, done.stderr
        found, expected = (cv2.imread(str(place / row["square"])).astype(int) for place in (folder, VECTORS))
        assert np.abs(found - expected).max() <= 1, row["picture"]


def check_answers(command: Command, bundle: Path, pictures: list[Path]) -> set[str]:
    """The verdicts that were given."""
    inspector = fs.load(bundle, backend="onnxruntime")
    done = run(*command, bundle, *pictures)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(StringIO(done.stdout)))
    assert [row["path"] for row in rows] == [str(path) for path in pictures]
    expected = [inspector.inspect(read_image(path)) for path in pictures]
    for row, result in zip(rows, expected, strict=True):
        assert float(row["score"]) == pytest.approx(result.score, abs=1e-3), row["path"]
        assert float(row["p_value"]) == pytest.approx(result.p_value, abs=1e-6), row["path"]
        assert row["verdict"] == result.verdict, row["path"]
    return {row["verdict"] for row in rows}


def check_refusals(command: Command, bundle: Path, picture: Path, folder: Path) -> None:
    Image.fromarray(np.zeros((80, 96), np.uint16)).save(folder / "deep.png")
    done = run(*command, bundle, folder / "missing.png", picture, folder / "deep.png")
    assert done.returncode == 1
    assert [row["path"] for row in csv.DictReader(StringIO(done.stdout))] == [str(picture)]
    assert all(f"{folder / name}: " in done.stderr for name in ("missing.png", "deep.png"))
    assert run(*command, bundle).returncode == 2


def check_refused(command: Command, bundle: Path, picture: Path, reason: str) -> None:
    done = run(*command, bundle, picture)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def check_heat_map(command: Command, bundle: Path, picture: Path, folder: Path) -> None:
    done = run(*command, "--heat-maps", folder / "drawn", bundle, picture)
    assert done.returncode == 0, done.stderr
    inspector = fs.load(bundle, backend="onnxruntime")
    image, found = read_image(picture), read_image(folder / "drawn" / f"1-{picture.stem}.png")
    scale = inspector.manifest.colour_scale
    expected = overlay(image, inspector.inspect(image).anomaly_map, scale, contour=False)
    assert np.abs(expected.astype(int) - image).max() > 50
    assert np.abs(found.astype(int) - expected).max() <= 4


@pytest.mark.parametrize("build", [cpp_onnxruntime, cpp_openvino, javascript, csharp], ids=lambda build: build.__name__)
def test_it_answers_as_python_does(
    build: Callable[[Path], Command], bundle: Path, of_lower_precision: Path, pictures: list[Path], tmp_path: Path
) -> None:
    command = build(tmp_path / "build")
    check_resize(command, tmp_path)
    assert check_answers(command, bundle, pictures) == {"good", "defective"}
    assert check_answers(command, of_lower_precision, pictures) == {"defective"}
    check_refusals(command, bundle, pictures[0], tmp_path)
    if build in (cpp_onnxruntime, cpp_openvino):
        check_heat_map(command, bundle, pictures[1], tmp_path)


@pytest.mark.parametrize("build", [cpp_onnxruntime, cpp_openvino, javascript, csharp], ids=lambda build: build.__name__)
def test_views_are_as_in_python_or_refused(
    build: Callable[[Path], Command],
    bundle: Path,
    of_views: Callable[[], dict[str, Path]],
    pictures: list[Path],
    tmp_path: Path,
) -> None:
    command = build(tmp_path / "build")
    views = of_views()
    view = json.loads((bundle / "inspector.json").read_text(encoding="utf-8"))["view"]
    check_refused(command, changed(bundle, tmp_path / "region", region="iVBORw0KGgo="), pictures[0], "region")
    check_refused(command, changed(bundle, tmp_path / "old", format=4), pictures[0], "no bundle of format 6")
    other = changed(bundle, tmp_path / "other", view={**view, "kind": "stripes"})
    if build is csharp:
        for refused in (other, *views.values()):
            check_refused(command, refused, pictures[0], "resized to one square")
        return
    check_refused(command, other, pictures[0], "its view is not known here: stripes")
    for name, seen in views.items():
        assert check_answers(command, seen, pictures) >= {"defective"}, name
    Image.fromarray(np.zeros((47, 90, 3), np.uint8)).save(tmp_path / "small.png")
    done = run(*command, views["enlarged tiles"], tmp_path / "small.png")
    assert (done.returncode, done.stdout) == (1, "path,score,p_value,verdict\n")
    assert "smaller than a tile" in done.stderr
    if build is not javascript:
        for name in ("whole", "tiles"):
            check_heat_map(command, views[name], pictures[1], tmp_path / name)


def test_the_program_is_short() -> None:
    assert len((EXAMPLES / "cpp" / "inspect.cpp").read_text(encoding="utf-8").splitlines()) < 220
