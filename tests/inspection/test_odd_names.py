"""Names as cameras, shares and people make them: every picture is inspected, every row and heat map can be read."""

import csv
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.core.text import LONGEST_NAME, readable, safe_name, same_name
from flawsight.data import fingerprint
from flawsight.inspection import Inspector, inspect_to_folder
from flawsight.inspection.names import heatmap_paths

LATIN = os.fsdecode(b"B\xf6den \xdf.png")
NAMES = [
    LATIN,
    "部品.png",
    "a\nb.png",
    "a\rb.png",
    'x, "7"; y.png',
    "-rf.png",
    "[part].png",
    "dots...png",
    "space .png",
    " lead.png",
    "con.png",
    "NUL.PNG",
    "Com1.x.png",
    "a:b.png",
    "a\\b.png",
    "what?*<>|.png",
    "=1+1.png",
    "%s{0}$HOME.png",
    "tab\there.png",
    "\x1b[31mred.png",
    "x" * 251 + ".png",
    "長" * 80 + ".png",
    "e\u0301.png",
]


@pytest.fixture
def odd(tmp_path: Path, texture: Callable) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(texture(number)).save(folder / name, "PNG")
    return folder


def table(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_name_has_a_row_and_a_heat_map(fitted: Inspector, odd: Path, tmp_path: Path) -> None:
    rows = inspect_to_folder(fitted, [odd], tmp_path / "out")
    assert not rows.skipped and {row.verdict for row in rows} <= {"good", "defective"}
    assert {Path(row.path).name for row in rows} == set(NAMES)
    assert [line["path"] for line in table(tmp_path / "out")] == [readable(row.path) for row in rows]
    heat_maps = [path.name for path in (tmp_path / "out" / "heatmaps").iterdir()]
    assert len(heat_maps) == len({same_name(name) for name in heat_maps}) == len(NAMES)
    for name in heat_maps:
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]|[. ]\.png$', name) and len(os.fsencode(name)) < 200
        assert np.asarray(Image.open(tmp_path / "out" / "heatmaps" / name)).shape == (80, 96, 3)


@pytest.mark.parametrize("name", NAMES)
def test_each_alone_by_its_path(fitted: Inspector, odd: Path, tmp_path: Path, name: str) -> None:
    (row,) = inspect_to_folder(fitted, [odd / name], tmp_path / "out")
    assert row.path == str(odd / name) and row.score == fitted.inspect(odd / name).score
    assert len(list((tmp_path / "out" / "heatmaps").glob("*.png"))) == 1


def test_fit_and_synthesize_take_them_and_folders_too(odd: Path, tmp_path: Path, fit_options: dict) -> None:
    good = odd.rename(tmp_path / os.fsdecode(b"gut \xf6"))
    bundle = tmp_path / os.fsdecode(b"B\xfcndel")
    options = fit_options | {"layers": "blocks.3.0.bn3", "defects": "simple", "export": "none"}
    assert fs.fit(good, bundle, **options).manifest.data.images == len(NAMES)
    assert "B\\xfcndel" in (bundle / "report.html").read_text(encoding="utf-8")
    again = fs.load(bundle, "cpu")
    rows = inspect_to_folder(again, [good], tmp_path / os.fsdecode(b"Ergebnis \xe4"))
    assert len(rows) == len(NAMES)
    out = tmp_path / os.fsdecode(b"synthetisch \xe4")
    fs.synthesize(good, out, defects="cutpaste", device="cpu")
    with (out / "synthetic.csv").open(newline="", encoding="utf-8") as file:
        assert all((out / row["image"]).is_file() for row in csv.DictReader(file))


def test_a_training_in_such_a_folder_goes_on(tmp_path: Path) -> None:
    import torch

    from flawsight.training import Schedule, TrainingContext, train

    folder = tmp_path / os.fsdecode(b"\xf6")
    module = torch.nn.Linear(2, 1)
    values = torch.ones(4, 2)

    def loss(rows: torch.Tensor, _: torch.Generator) -> torch.Tensor:
        return module(values[rows]).square().mean()

    for epochs in (2, 5):
        optimizer = torch.optim.SGD(module.parameters(), 0.1)
        losses = train(module, optimizer, loss, 4, Schedule(epochs=epochs, batch_size=4), TrainingContext(folder))
        assert len(losses) == epochs
    assert (folder / "checkpoint.safetensors").exists()


def test_a_fingerprint_does_not_depend_on_the_encoding(tmp_path: Path) -> None:
    for name in ("a.png", LATIN):
        (tmp_path / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    assert len(fingerprint(tmp_path.iterdir())) == 64


@pytest.mark.parametrize(
    "names",
    [
        ["A.png", "a.png"],
        ["a/x.png", "A/x.png"],
        ["\u00e9.png", "e\u0301.png"],
        ["a:b.png", "a?b.png", "a_b.png"],
        ["x.png", "X.jpg", "x_0.png", "x_1.png"],
        ["y" * 240 + "1.png", "y" * 240 + "2.png"],
        ["con.png", "_con.png"],
        ["stra\u00dfe.png", "strasse.png"],
    ],
)
def test_heat_maps_are_told_apart_on_every_file_system(names: list[str]) -> None:
    found = heatmap_paths([Path(name) for name in names], Path("heatmaps"))
    assert list(found) == [Path(name) for name in names]
    assert len({same_name(path.name) for path in found.values()}) == len(names)
    for path in found.values():
        assert path.parent == Path("heatmaps") and len(path.stem.encode()) <= LONGEST_NAME + 5


def test_one_pair_does_not_rename_all_others() -> None:
    paths = [Path(name) for name in ("a/x.png", "a/x.jpg", "b/x.png", "b/y.png", "a/x_2.png")]
    found = [path.name for path in heatmap_paths(paths, Path("heatmaps")).values()]
    assert found == ["a_x.png", "a_x_3.png", "b_x.png", "b_y.png", "a_x_2.png"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("part 7", "part 7"),
        ("部品", "部品"),
        ("a/b\\c:d", "a_b_c_d"),
        ("AUX", "_AUX"),
        ("lpt1.left", "_lpt1.left"),
        ("console", "console"),
        ("ends. .", "ends"),
        ("...", "_"),
        ("", "_"),
        ("B\udcf6", "B_xf6"),
        ("\ud800", "_ud800"),
    ],
)
def test_safe_names(text: str, name: str) -> None:
    assert safe_name(text) == name == safe_name(name)


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder", "dangling", "circle", "long", "missing"])
def test_what_is_no_file_is_named_and_never_hangs(
    fitted: Inspector, texture: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    Path("in").mkdir()
    odd = Path("in") / "y.png"
    make_odd(odd, kind)
    if kind == "folder":
        with pytest.raises(FlawsightError, match=r"no image in in/y\.png"):
            inspect_to_folder(fitted, [odd], Path("out"))
    else:
        given = odd if kind != "long" else Path("in") / ("y" * 300 + ".png")
        (row,) = inspect_to_folder(fitted, [given], Path("out"))
        assert row.verdict == "error" and str(given) in row.reason
    Image.fromarray(texture(1)).save("in/x.png")
    rows = inspect_to_folder(fitted, [Path("in")], Path("out"))
    assert [row.path for row in rows] == ["in/x.png"]
    there = kind not in {"long", "missing"}
    assert [str(one.path) for one in rows.skipped] == (["in/y.png"] if there else [])


def make_odd(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to("nowhere.png")
    elif kind == "circle":
        path.symlink_to(path.name)


def test_fit_names_them_too(texture: Callable, tmp_path: Path) -> None:
    paths = []
    for number in range(10):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(texture(number)).save(paths[-1])
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(FlawsightError, match=r"pipe\.png is a named pipe"):
        fs.fit([*paths, tmp_path / "pipe.png"], image_size=64, device="cpu")
