"""Public data sets, where FLAWSIGHT_DATA says that they are: at most one false alarm each, and planted faults found."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from flawsight.health import check_folder

ROOT = Path(os.environ.get("FLAWSIGHT_DATA", "absent"))
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="FLAWSIGHT_DATA names no folder")
PRODUCTS = (
    "cookie",
    "kolektorsdd_tiles",
    "magnetic_tile",
    "mvtec_leather_mini",
    "paper_pa_bft01_tl",
    "paper_pa_btn01_rl",
    "paper_pa_fvn01_tl",
    "paper_pa_gla01_tl",
)
TRUE = {"near_duplicates", "groups", "too_few", "format"}
"""Looked at, and so: the same cookie twice, tiles under several lamps, four pictures, grey among colour."""


OTHERS = [*sorted(ROOT.glob("dtd_textures/*/")), *sorted(ROOT.glob("cifar10/train/*/"))]


@pytest.mark.parametrize("part", ["train/good", "test/good"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_at_most_one_false_alarm(product: str, part: str) -> None:
    alarms = [one for one in check_folder(ROOT / product / part).report.findings if one.kind not in TRUE]
    assert len(alarms) <= 1, [one.sentence for one in alarms]


@pytest.mark.parametrize(
    "folder",
    [*sorted(ROOT.glob("dtd_textures/*/")), *sorted(ROOT.glob("cifar10/train/*/"))],
    ids=lambda path: path.name,
)
def test_at_most_one_in_sets_that_are_no_products(folder: Path) -> None:
    alarms = [one for one in check_folder(folder).report.findings if one.kind not in TRUE]
    assert len(alarms) <= 1, [one.sentence for one in alarms]


PLANTED = {
    "copy": {"duplicates"},
    "again": {"near_duplicates", "groups"},
    "half": {"near_duplicates", "groups"},
    "brighter": {"near_duplicates", "groups"},
    "dark": {"brightness", "stranger"},
    "blurred": {"sharpness"},
    "black": {"blank"},
    "thumb_x": {"thumbnails"},
    "cropped": {"proportions"},
    "alien": {"stranger", "thumbnails", "size", "format"},
    "cut": {"unreadable"},
}


@pytest.mark.parametrize(
    ("product", "alien"),
    [("cookie", "paper_pa_bft01_tl"), ("kolektorsdd_tiles", "magnetic_tile"), ("paper_pa_btn01_rl", "cookie")],
)
def test_one_of_each_fault_is_found(product: str, alien: str, tmp_path: Path) -> None:
    good = sorted((ROOT / product / "train" / "good").iterdir())
    folder, suffix = tmp_path / "good", good[0].suffix
    shutil.copytree(good[0].parent, folder)
    sources = iter(cv2.imread(str(path)) for path in good[:: len(good) // 12])

    def put(name: str, image: np.ndarray, options: list[int] | None = None) -> None:
        cv2.imwrite(str(folder / f"{name}{suffix}"), image, options or [])

    shutil.copy(good[1], folder / f"copy{suffix}")
    cv2.imwrite(str(folder / "again.jpg"), next(sources), [cv2.IMWRITE_JPEG_QUALITY, 60])
    put("half", cv2.resize(next(sources), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA))
    put("brighter", np.clip(next(sources) * 1.07, 0, 255).astype(np.uint8))
    put("dark", (next(sources) * 0.45).astype(np.uint8))
    image = next(sources)
    put("blurred", cv2.GaussianBlur(image, (0, 0), 0.012 * max(image.shape)))
    put("black", np.zeros_like(image))
    put("thumb_x", cv2.resize(next(sources), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
    put("cropped", image[: image.shape[0] * 2 // 3])
    stranger = sorted((ROOT / alien / "train" / "good").iterdir())[3]
    shutil.copy(stranger, folder / f"alien{stranger.suffix}")
    (folder / f"cut{suffix}").write_bytes(good[2].read_bytes()[:500])
    kinds: dict[str, set[str]] = {}
    for one in check_folder(folder).report.findings:
        for path in one.files:
            kinds.setdefault(path.stem, set()).add(one.kind)
    missed = {name: kinds.get(name) for name, expected in PLANTED.items() if not expected & kinds.get(name, set())}
    assert not missed
