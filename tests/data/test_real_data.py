"""Counts of the public data sets, where the environment variable FLAWSIGHT_DATA says that they are."""

import os
from pathlib import Path

import pytest

from flawsight.core import FlawsightError
from flawsight.data import good_images, image_size, open_dataset, read_image, read_mask

ROOT = Path(os.environ.get("FLAWSIGHT_DATA", "absent"))
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="FLAWSIGHT_DATA names no folder")


@pytest.mark.parametrize(
    ("name", "train", "good", "defective", "kinds"),
    [
        ("magnetic_tile", 765, 187, 388, ("blowhole", "break", "crack", "fray", "uneven")),
        ("kolektorsdd_tiles", 669, 110, 62, None),
        ("cookie", 31, 14, 32, ("cracked",)),
        ("mvtec_leather_mini", 4, 4, 11, ("color", "cut", "fold", "glue", "poke")),
    ],
)
def test_mvtec_counts(name, train, good, defective, kinds):
    dataset = open_dataset(ROOT / name)
    assert dataset.layout == "mvtec"
    counts = [len(dataset.select(*which)) for which in (("train", 0), ("test", 0), ("test", 1))]
    assert counts == [train, good, defective]
    assert dataset.has_masks
    assert kinds is None or dataset.kinds == kinds
    assert len(good_images(ROOT / name)) == train
    assert list(open_dataset(ROOT, category=name)) == list(dataset)


def test_cifar10():
    with pytest.raises(FlawsightError, match="airplane"):
        open_dataset(ROOT / "cifar10")
    dataset = open_dataset(ROOT / "cifar10", good_class="cat")
    assert [len(dataset.select(*w)) for w in (("train", 0), ("test", 0), ("test", 1))] == [500, 100, 900]
    assert len(dataset.kinds) == 9


@pytest.mark.parametrize("name", ["cookie", "mvtec_leather_mini"])
def test_pixels_and_masks_fit(name):
    for sample in open_dataset(ROOT / name).select("test", 1):
        size = image_size(sample.path)
        assert read_image(sample.path).shape == (*size, 3)
        assert 0 < read_mask(sample.mask_path, size).mean() < 1


def test_the_root_lists_its_categories():
    with pytest.raises(FlawsightError, match=r"category.*cookie.*magnetic_tile"):
        good_images(ROOT)
