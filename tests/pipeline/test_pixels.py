"""What the camera delivers, from the good pictures through the bundle to every later reading."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.cli.app import app
from flawsight.data import learn_pixel_format, open_dataset
from flawsight.inspection import Inspector


def save12(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(image.astype(np.uint16) << 4))
    return path


@pytest.fixture(scope="module")
def options() -> dict[str, object]:
    return {"image_size": 64, "device": "cpu", "false_alarm_rate": 0.1, "fixed_layers": "blocks.1.0.bn1"}


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory, texture: Callable) -> Path:
    """Good pictures of 12 bits in 16."""
    folder = tmp_path_factory.mktemp("deep") / "good"
    for seed in range(12):
        save12(folder / f"{seed:02d}.png", texture(seed))
    return folder


@pytest.fixture(scope="module")
def deep_inspector(deep: Path, options: dict, tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    bundle = tmp_path_factory.mktemp("bundle") / "b"
    fs.fit(deep, bundle, **options, export="none")
    return fs.load(bundle, "cpu")


@pytest.fixture(scope="module")
def shallow_inspector(options: dict, tmp_path_factory: pytest.TempPathFactory, texture: Callable) -> Inspector:
    """Of the same pictures in 8 bits."""
    folder = tmp_path_factory.mktemp("shallow")
    for seed in range(12):
        Image.fromarray(texture(seed)).save(folder / f"{seed:02d}.png")
    return fs.fit(folder, **options)


def test_12_bits_give_the_verdicts_of_8(
    deep_inspector: Inspector, shallow_inspector: Inspector, spoiled: Callable, tmp_path: Path
) -> None:
    assert deep_inspector.manifest.data.pixels.text == "colour 12-bit in 16"
    Image.fromarray(spoiled(3)).save(tmp_path / "8.png")
    found = deep_inspector.inspect(save12(tmp_path / "12.png", spoiled(3)))
    expected = shallow_inspector.inspect(tmp_path / "8.png")
    assert found.score == pytest.approx(expected.score) and found.is_defective
    assert deep_inspector.threshold == pytest.approx(shallow_inspector.threshold)


def test_what_does_not_fit_gets_a_row_and_stops_nobody(
    deep_inspector: Inspector, texture: Callable, tmp_path: Path
) -> None:
    save12(tmp_path / "in" / "a.png", texture(100))
    Image.fromarray(texture(101)).save(tmp_path / "in" / "b8.png")
    save12(tmp_path / "in" / "c_wide.png", texture(102, (80, 192)))
    rows = fs.inspect_to_folder(deep_inspector, [tmp_path / "in"], tmp_path / "out")
    assert [row.verdict for row in rows][1:] == ["error", "error"] and rows[0].verdict != "error"
    assert "expected colour 12-bit pictures as learned, got colour 8-bit" in rows[1].reason
    assert "192 x 80 pixels, of other proportions" in rows[2].reason
    with pytest.raises(fs.FlawsightError, match=r"b8\.png"):
        deep_inspector.inspect(tmp_path / "in" / "b8.png")
    with pytest.raises(fs.FlawsightError, match="the image is 192 x 80"):
        deep_inspector.inspect(texture(102, (80, 192)))


def test_a_bundle_without_a_format_reads_as_before(
    deep_inspector: Inspector, texture: Callable, tmp_path: Path
) -> None:
    data = deep_inspector.manifest.data.model_copy(update={"pixels": None})
    old = Inspector(deep_inspector.backend, deep_inspector.manifest.model_copy(update={"data": data}))
    Image.fromarray(texture(101, (80, 192))).save(tmp_path / "b8.png")
    assert old.inspect(tmp_path / "b8.png").anomaly_map.shape == (80, 192)
    for number in range(6):
        Image.fromarray(texture(number) // 2).save(tmp_path / f"{number}.png")
    fs.inspect_to_folder(old, [tmp_path], tmp_path / "out", warn=pytest.fail)


def brighter(image: np.ndarray) -> np.ndarray:
    return np.clip(1.4 * image.astype(np.float32), 0, 255).astype(np.uint8)


def test_a_replaced_lamp_is_said_and_changes_no_verdict(
    shallow_inspector: Inspector, texture: Callable, tmp_path: Path
) -> None:
    for number in range(20):
        image = Image.fromarray(brighter(texture(300 + number)))
        (tmp_path / "in" / "good").mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "in" / "good" / f"{number}.png")
    said: list[str] = []
    rows = fs.inspect_to_folder(shallow_inspector, [tmp_path / "in"], tmp_path / "out", warn=said.append)
    assert len(said) == 1 and "differ as a whole" in said[0] and "brighter" in said[0]
    results = [shallow_inspector.inspect(row.path) for row in rows]
    assert [row.verdict for row in rows] == [result.verdict for result in results]
    with pytest.warns(UserWarning, match="differ as a whole"):
        fs.inspect_to_folder(shallow_inspector, [tmp_path / "in"], tmp_path / "out")
    for number in range(2):
        (tmp_path / "in" / "spot").mkdir(exist_ok=True)
        Image.fromarray(texture(number)).save(tmp_path / "in" / "spot" / f"{number}.png")
    with pytest.warns(UserWarning, match="differ as a whole"):
        fs.evaluate(shallow_inspector, open_dataset(tmp_path / "in", "labelled"))


def test_usual_pictures_bring_no_warning(
    shallow_inspector: Inspector, texture: Callable, spoiled: Callable, tmp_path: Path
) -> None:
    for number in range(20):
        Image.fromarray((spoiled if number % 2 else texture)(300 + number)).save(tmp_path / f"{number}.png")
    fs.inspect_to_folder(shallow_inspector, [tmp_path], tmp_path / "out", warn=pytest.fail)


def test_grey_among_good_pictures_in_colour_is_said(options: dict, texture: Callable, tmp_path: Path) -> None:
    for number in range(30):
        image = texture(number)
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        Image.fromarray(grey if number == 17 else image).save(tmp_path / f"{number:02d}.png")
    pixels = fs.fit(tmp_path, **options).manifest.data.pixels
    assert pixels.is_colour is None and pixels.concerns == (
        "1 of 30 good pictures are unlike the others: 17.png is grey",
    )


def test_synthesize_writes_8_bits_of_any_depth(deep: Path, tmp_path: Path, texture: Callable) -> None:
    fs.synthesize(deep, tmp_path / "out", defects="nsa")
    written = sorted((tmp_path / "out" / "train" / "good").iterdir())
    read = np.asarray(Image.open(written[0]))
    assert read.dtype == np.uint8 and np.array_equal(read, texture(int(written[0].stem)))


def test_another_filter_does_not_go_on_with_work_of_the_first(deep: Path) -> None:
    paths = sorted(deep.iterdir())
    keys = {learn_pixel_format(paths).key, learn_pixel_format(paths, bits=14).key}
    assert len(keys) == 2


def test_the_command_line_says_what_was_learned(
    deep: Path, options: dict, texture: Callable, tmp_path: Path, capsys
) -> None:
    def call(*given: object) -> str:
        app([str(one) for one in given], standalone_mode=False)
        return capsys.readouterr().out

    bundle = tmp_path / "b"
    rest = ("--image-size", 64, "--fixed-layers", options["fixed_layers"], "--false-alarm-rate", 0.1, "--device", "cpu")
    rest += ("--export", "none")
    assert "Pictures: colour 12-bit in 16\n" in call("fit", deep, "--out", bundle, *rest)
    assert "colour 12-bit in 16" in (bundle / "report.html").read_text()
    for number in range(8):
        save12(tmp_path / "in" / f"{number}.png", brighter(texture(300 + number)))
    out = call("inspect", bundle, tmp_path / "in", "--out", tmp_path / "out")
    assert "Mind: these 8 pictures differ as a whole" in out
    document = json.loads(call("inspect", bundle, tmp_path / "in", "--out", tmp_path / "out", "--json"))
    assert len(document["warnings"]) == 1 and len(document["results"]) == 8
