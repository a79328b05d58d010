"""What labelling tools export: read whatever machine it was made on, and an unmarked image is good."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import good_images, good_samples, learn_masks, open_dataset

SIZE = (24, 32)
BOX = np.zeros(SIZE, bool)
BOX[4:10, 5:15] = True
CORNERS = [5, 4, 15, 4, 15, 10, 5, 10]


def picture(path: Path, pixels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros(SIZE, np.uint8) if pixels is None else pixels).save(path)
    return path


def runs(flat: np.ndarray) -> list[int]:
    changes = np.flatnonzero(np.diff(flat.astype(int), prepend=0))
    return np.diff([0, *changes, flat.size]).tolist()


def compressed(lengths: list[int]) -> str:
    """COCO's own compression, written as its specification says it."""
    text = ""
    for place, length in enumerate(lengths):
        number = length - (lengths[place - 2] if place > 2 else 0)
        more = True
        while more:
            code, number = number & 0x1F, number >> 5
            more = number != -1 if code & 0x10 else number != 0
            text += chr((code | 0x20 if more else code) + 48)
    return text


def coco(root: Path, place: str = "annotations.json", names: str = "{}", **annotation: object) -> Path:
    for name in "abc":
        picture(root / "images" / f"{name}.png")
    document = {
        "images": [
            {"id": n, "file_name": names.format(f"{name}.png"), "height": SIZE[0], "width": SIZE[1]}
            for n, name in enumerate("abc")
        ],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [5, 4, 10, 6], **annotation}],
        "categories": [{"id": 7, "name": "dent"}],
    }
    (root / place).parent.mkdir(exist_ok=True)
    (root / place).write_text(json.dumps(document))
    return root


MARKS = {
    "polygon": {"segmentation": [CORNERS]},
    "two polygons": {"segmentation": [[5, 4, 10, 4, 10, 10, 5, 10], [10, 4, 15, 4, 15, 10, 10, 10]]},
    "runs": {"segmentation": {"counts": runs(BOX.T.ravel()), "size": SIZE}, "iscrowd": 1},
    "compressed runs": {"segmentation": {"counts": compressed(runs(BOX.T.ravel())), "size": SIZE}},
    "a box": {"segmentation": []},
}


@pytest.mark.parametrize("mark", MARKS.values(), ids=list(MARKS))
def test_coco(tmp_path, mark):
    dataset = open_dataset(coco(tmp_path, **mark))
    assert dataset.layout == "coco" and dataset.kinds == ("dent",) and dataset.has_masks
    (bad,) = dataset.select(label=1)
    assert bad.path == tmp_path / "images/b.png"
    assert np.array_equal(learn_masks(dataset).of(bad, SIZE), BOX)
    assert [path.name for path in good_images(tmp_path)] == ["a.png", "c.png"]
    assert any("2 images on which nothing is drawn" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "names", ["{}", "images/{}", "images\\{}", "C:\\data\\images\\{}", "/home/me/set/images/{}", "IMAGES/{}"]
)
@pytest.mark.parametrize("place", ["annotations/instances_default.json", "x.json"])
def test_coco_of_another_machine(tmp_path, names, place):
    coco(tmp_path, place, names, segmentation=[CORNERS])
    assert list(open_dataset(tmp_path)) == list(open_dataset(tmp_path / place))
    assert len(open_dataset(tmp_path)) == 3


def test_coco_with_a_split(tmp_path):
    coco(tmp_path / "train", "_annotations.coco.json", segmentation=[CORNERS])
    coco(tmp_path / "test", "_annotations.coco.json", segmentation=[CORNERS])
    dataset = open_dataset(tmp_path)
    assert len(dataset.select("train")) == len(dataset.select("test")) == 3
    assert len(good_images(tmp_path)) == 2


def test_a_drawing_for_another_size_or_outside_is_named(tmp_path):
    coco(tmp_path, segmentation=[CORNERS])
    picture(tmp_path / "images/b.png", np.zeros((48, 64), np.uint8))
    with pytest.raises(FlawsightError, match=r"annotations\.json, image 1.*32 x 24 pixels but its image is 64 x 48"):
        learn_masks(open_dataset(tmp_path))
    coco(tmp_path, segmentation=[[500, 500, 510, 500, 510, 510]])
    with pytest.raises(FlawsightError, match=r"image 1 \(b\.png\) marks nothing"):
        learn_masks(open_dataset(tmp_path))


CVAT = """<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>
<image id="0" name="a.png" width="32" height="24"></image>
<image id="1" name="sub/b.png" width="32" height="24">{}</image>
<image id="2" name="c.png" width="32" height="24"><tag label="{}" source="manual"/></image></annotations>"""
DRAWN = {
    "polygon": '<polygon label="dent" points="5,4;15,4;15,10;5,10" z_order="0"/>',
    "box": '<box label="dent" xtl="5" ytl="4" xbr="15" ybr="10"/>',
    "turned box": '<box label="dent" xtl="7" ytl="2" xbr="13" ybr="12" rotation="90"/>',
    "mask": '<mask label="dent" rle="0, 60" left="5" top="4" width="10" height="6"/>',
}


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=list(DRAWN))
def test_cvat(tmp_path, drawn):
    for name in ("a.png", "sub/b.png", "c.png"):
        picture(tmp_path / "images" / name)
    (tmp_path / "annotations.xml").write_text(CVAT.format(drawn, "scratched"))
    dataset = open_dataset(tmp_path)
    assert (
        dataset.layout == "cvat" and [s.label for s in dataset] == [0, 1, 1] and dataset.kinds == ("dent", "scratched")
    )
    assert np.array_equal(learn_masks(dataset).of(dataset[1], SIZE), BOX)
    assert learn_masks(dataset).of(dataset[2], SIZE) is None
    (tmp_path / "annotations.xml").write_text(CVAT.format(drawn, "ok"))
    assert [s.label for s in open_dataset(tmp_path / "annotations.xml")] == [0, 1, 0]


def encoded(mask: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


SHAPES = {
    "polygon": {"points": [[5, 4], [15, 4], [15, 10], [5, 10]]},
    "rectangle": {"points": [[15, 10], [5, 4]]},
    "mask": {"points": [[5, 4], [14, 9]], "mask": encoded(np.ones((6, 10), bool))},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_labelme(tmp_path, kind):
    for name in ("a.png", "b.png", "deep/c.png"):
        picture(tmp_path / name)
    document = {"shapes": [{"label": "dent", "shape_type": kind, **SHAPES[kind]}], "imageHeight": 24, "imageWidth": 32}
    (tmp_path / "deep/c.json").write_text(json.dumps(document))
    (tmp_path / "b.json").write_text(json.dumps({**document, "shapes": []}))
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "labelme" and [s.label for s in dataset] == [0, 0, 1] and dataset.kinds == ("dent",)
    assert np.array_equal(learn_masks(dataset).of(dataset[2], SIZE), BOX)
    assert not any("json" in note for note in dataset.notes)


@pytest.mark.parametrize("prefix", ["s3://bucket/set/", ""])
def test_lookout(tmp_path, prefix):
    for split in ("train", "test"):
        lines = []
        for name, label in (("n", 0), ("a", 1)):
            picture(tmp_path / split / f"{name}.png")
            entry = {"source-ref": f"{prefix}{split}/{name}.png", "anomaly-label": label}
            entry["anomaly-label-metadata"] = {
                "class-name": ("normal", "anomaly")[label], "type": "groundtruth/image-classification",
            }  # fmt: skip
            if label:
                colour = np.full((*SIZE, 3), 255, np.uint8)
                colour[BOX] = (44, 160, 44)
                picture(tmp_path / "masks" / split / "a.png", colour)
                entry["anomaly-mask-ref"] = f"{prefix}masks/{split}/a.png"
                entry["anomaly-mask-ref-metadata"] = {"type": "groundtruth/semantic-segmentation"}
            lines.append(json.dumps(entry))
        (tmp_path / f"{split}.manifest").write_text("\n".join(lines) + "\n")
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "lookout" and dataset.kinds == ("anomaly",) and dataset.has_masks
    assert [len(dataset.select(*which)) for which in (("train", 0), ("test", 0), ("test", 1))] == [1, 1, 1]
    (bad,) = dataset.select("test", 1)
    masks = learn_masks(dataset)
    assert np.array_equal(masks.of(bad, SIZE), BOX) and "ground is light" in masks.said
    assert good_images(tmp_path) == [tmp_path / "train/n.png"]
    assert len(open_dataset(tmp_path / "test.manifest")) == 2


def test_images_that_no_list_names_are_counted(tmp_path):
    picture(coco(tmp_path, segmentation=[CORNERS]) / "images/d.png")
    assert any("1 images that are not listed are left out: d.png" in note for note in good_samples(tmp_path).notes)


@pytest.mark.parametrize(
    "spoilt",
    ['{"images": [{"id": 1}], "annotations": []}', '{"images": [], "annotations": [{"id": 1, "image_id": 3}]}'],
)
def test_damaged_lists_are_named(tmp_path, spoilt):
    picture(tmp_path / "a.png")
    (tmp_path / "list.json").write_text(spoilt)
    with pytest.raises(FlawsightError, match=r"list\.json"):
        open_dataset(tmp_path)


def test_all_missing_files_are_named_at_once(tmp_path):
    coco(tmp_path, segmentation=[CORNERS])
    for name in "ac":
        (tmp_path / "images" / f"{name}.png").unlink()
    with pytest.raises(FlawsightError, match=r"2 problems: .*a\.png.*c\.png"):
        open_dataset(tmp_path)


def test_a_name_that_may_be_two_files_is_not_guessed(tmp_path):
    picture(coco(tmp_path, segmentation=[CORNERS]) / "other/a.png")
    with pytest.raises(FlawsightError, match=r"a\.png may be images/a\.png or other/a\.png"):
        open_dataset(tmp_path)
