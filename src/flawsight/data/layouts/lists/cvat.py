"""CVAT for images: one XML document with polygons, boxes, masks, ellipses and lines for each image."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from flawsight.core import FlawsightError
from flawsight.data.layouts.lists.annotated import DAMAGE, Picture, base_of, files_in, read_annotated
from flawsight.data.layouts.words import said_by
from flawsight.data.masks.shapes import Outline, Runs, ellipse, rectangle
from flawsight.data.samples import Dataset

HINT = "annotations.xml of CVAT for images; or a folder that holds it, with images beside or below"


def recognises(root: Path) -> bool:
    """True for an XML document of annotations with images."""
    return bool(files_in(root, (".xml",), _is_ours))


def read(root: Path) -> Dataset:
    """All images: those on which nothing is drawn are good, a label is the kind; a tag labels the whole image."""
    files = files_in(root, (".xml",), _is_ours)
    return read_annotated(root, "cvat", [(base_of(file), _pictures(file)) for file in files])


def _is_ours(path: Path) -> bool:
    try:
        document = ElementTree.parse(path).getroot()
    except DAMAGE:
        return False
    return document.tag == "annotations" and document.find("image") is not None


def _pictures(path: Path) -> Iterator[Picture | FlawsightError]:
    for image in ElementTree.parse(path).getroot().iter("image"):
        where = f"{path}, image {image.get('id')}"
        try:
            drawn = [(shape.get("label", "defect"), _shape(shape)) for shape in image if shape.tag != "tag"]
            tags = [tag.get("label", "") for tag in image.iter("tag")]
            size = (int(image.attrib["height"]), int(image.attrib["width"]))
            split = "train" if said_by(image.get("subset", "")) == "train" else "test"
            yield Picture(where, image.attrib["name"], size, tuple(drawn), tuple(tags), split=split)
        except DAMAGE as error:
            yield FlawsightError(f"{where} is not whole ({type(error).__name__}: {error}); export it again")


def _shape(shape: ElementTree.Element) -> Outline | Runs:
    def number(name: str) -> float:
        return float(shape.attrib[name])

    degrees = float(shape.get("rotation", 0))
    if shape.tag == "box":
        return rectangle(number("xtl"), number("ytl"), number("xbr"), number("ybr"), degrees)
    if shape.tag == "ellipse":
        return ellipse(number("cx"), number("cy"), number("rx"), number("ry"), degrees)
    if shape.tag == "mask":
        lengths = tuple(int(length) for length in shape.attrib["rle"].split(","))
        window = int(number("height")), int(number("width"))
        return Runs(lengths, window, (int(number("left")), int(number("top"))))
    if shape.tag not in ("polygon", "polyline", "points"):
        raise ValueError(f"a {shape.tag} marks no area")
    pairs = [pair.split(",") for pair in shape.attrib["points"].split(";") if pair]
    return Outline(tuple((float(x), float(y)) for x, y in pairs), is_closed=shape.tag == "polygon")
