"""What other programs make of the regions: COCO, LabelMe, supervision, each read back with a reader of its own."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import supervision
from PIL import Image
from pycocotools.coco import COCO
from scipy import ndimage

from flawsight.core import FlawsightError
from flawsight.data import learn_masks, open_dataset
from flawsight.regions import coco_document, find_regions, to_labelme, to_supervision

SIZE = (40, 60)


def blobs(seed: int) -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(seed).random(SIZE), 2).astype(np.float32)


MAPS = {f"{seed}.png": blobs(seed) for seed in range(3)} | {"good.png": np.zeros(SIZE, np.float32)}
THRESHOLD = 0.53


def found():
    return {name: find_regions(values, THRESHOLD, SIZE, 0.2) for name, values in MAPS.items()}


def filled(values: np.ndarray) -> np.ndarray:
    """The pixels above the threshold and the holes in each of their components."""
    labels, count = ndimage.label(values > THRESHOLD, np.ones((3, 3)))
    parts = [ndimage.binary_fill_holes(labels == label) for label in range(1, count + 1)]
    return np.logical_or.reduce(parts) if parts else np.zeros(SIZE, bool)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """The COCO document of all maps, beside pictures of their size."""
    for name in MAPS:
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / name)
    path = tmp_path / "regions.json"
    pictures = [(name, SIZE, regions) for name, regions in found().items()]
    path.write_text(json.dumps(coco_document(pictures, {"bundle": "x"})), encoding="utf-8")
    return path


def test_coco_as_its_own_api_reads_it(document: Path) -> None:
    read = COCO(document)
    assert [category["name"] for category in read.loadCats(read.getCatIds())] == ["defect"]
    assert json.loads(document.read_text())["info"]["bundle"] == "x"
    names = {image["file_name"]: image["id"] for image in read.loadImgs(read.getImgIds())}
    assert list(names) == list(MAPS)
    for name, regions in found().items():
        annotations = read.loadAnns(read.getAnnIds(imgIds=[names[name]]))
        assert [one["score"] for one in annotations] == [region.peak for region in regions]
        for one, region in zip(annotations, regions, strict=True):
            mask = read.annToMask(one)
            rows, columns = np.nonzero(mask)
            assert one["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert (one["area"], one["area_mm2"], one["iscrowd"]) == (region.area_px, region.area_mm2, 0)
        union = np.logical_or.reduce([read.annToMask(one) for one in annotations] or [np.zeros(SIZE, bool)])
        assert (union == filled(MAPS[name])).all()


def test_coco_is_a_labelled_data_set(document: Path) -> None:
    dataset = open_dataset(document)
    masks = learn_masks(dataset)
    assert {sample.path.name: sample.label for sample in dataset} == {name: int(bool(r)) for name, r in found().items()}
    for sample in dataset:
        assert (masks.of(sample, SIZE) == filled(MAPS[sample.path.name])).all()


def test_labelme_is_read_back_as_drawn(tmp_path: Path) -> None:
    for name, regions in found().items():
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / name)
        text = json.dumps(to_labelme(regions, SIZE, name))
        (tmp_path / name).with_suffix(".json").write_text(text, encoding="utf-8")
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "labelme" and dataset.kinds == ("defect",)
    masks = learn_masks(dataset)
    for sample in dataset:
        assert (masks.of(sample, SIZE) == filled(MAPS[sample.path.name])).all()


def test_supervision_agrees_with_itself() -> None:
    for name, regions in found().items():
        detections = to_supervision(regions, SIZE)
        assert len(detections) == len(regions)
        assert detections.mask is not None and detections.mask.shape == (len(regions), *SIZE)
        assert (detections.mask.any(axis=0) == filled(MAPS[name])).all()
        assert detections.confidence == pytest.approx([region.peak for region in regions])
        if regions:  # supervision's boxes end with a mask's last pixel, ours behind it
            assert (supervision.mask_to_xyxy(detections.mask) == detections.xyxy - [0, 0, 1, 1]).all()
        assert len(detections[detections.confidence > 0.54]) == sum(region.peak > 0.54 for region in regions)


def test_supervision_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(FlawsightError, match=r"pip install 'flawsight\[supervision\]'"):
        to_supervision((), SIZE)
