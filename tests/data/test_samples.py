from pathlib import Path

import pytest

from flawsight.core import FlawsightError
from flawsight.data import DEFECTIVE, GOOD, Dataset, Sample

SAMPLES = [
    Sample(Path("a.png"), GOOD, split="train"),
    Sample(Path("b.png"), GOOD),
    Sample(Path("c.png"), DEFECTIVE, Path("c_mask.png"), "scratch"),
    Sample(Path("d.png"), DEFECTIVE, Path("d_mask.png"), "dent"),
    Sample(Path("e.png"), None, kind="unknown"),
]


def test_is_a_sequence():
    dataset = Dataset(SAMPLES, Path("root"), "mvtec")
    assert list(dataset) == SAMPLES
    assert len(dataset) == 5
    assert dataset[-1] == SAMPLES[-1]
    assert list(dataset[1:3]) == SAMPLES[1:3]
    assert dataset[1:3].root == Path("root")


def test_select():
    dataset = Dataset(SAMPLES, Path("root"), "mvtec")
    assert list(dataset.select("train")) == SAMPLES[:1]
    assert list(dataset.select(label=GOOD)) == SAMPLES[:2]
    assert list(dataset.select("test", DEFECTIVE)) == SAMPLES[2:4]
    assert list(dataset.select(label=None)) == SAMPLES[4:]
    assert list(dataset.select()) == SAMPLES
    assert dataset.select("test").layout == "mvtec"
    with pytest.raises(FlawsightError, match="tset"):
        dataset.select("tset")


def test_masks_and_kinds():
    assert Dataset(SAMPLES, Path("root"), "x").has_masks
    assert Dataset(SAMPLES, Path("root"), "x").kinds == ("dent", "scratch")
    assert not Dataset([*SAMPLES, Sample(Path("f.png"), DEFECTIVE, kind="dent")], Path("root"), "x").has_masks
    assert not Dataset(SAMPLES[:2], Path("root"), "x").has_masks


def test_repr_tells_the_counts():
    text = repr(Dataset(SAMPLES, Path("root"), "mvtec"))
    assert text == "Dataset(mvtec at 'root': 1 train, 4 test; 2 good, 2 defective, 1 unknown; with masks)"


@pytest.mark.parametrize("bad", [{"label": 2}, {"label": 0, "split": "val"}])
def test_bad_samples(bad):
    with pytest.raises(FlawsightError, match=r"a\.png|val"):
        Sample(Path("a.png"), **bad)
