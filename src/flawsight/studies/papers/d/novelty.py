"""Paper D's Table 5: one class of a classification data set is good, all others are new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pandas as pd

from flawsight.core import FlawsightError
from flawsight.data import GOOD, Dataset, learn_pixel_format, open_dataset, read_image
from flawsight.data.files import folder_named, subfolders
from flawsight.inference import MemberSpec
from flawsight.inspection.evaluation import test_samples
from flawsight.settings import StudySettings
from flawsight.studies.grid import bases
from flawsight.studies.layers import fitted_and_asked
from flawsight.studies.papers.d.tables import prepared
from flawsight.studies.papers.d.units import detector_of, read_layers, usual_layers
from flawsight.studies.products import Product, drawn, network_of
from flawsight.studies.study import Row, Unit
from flawsight.studies.tables import Table, pivot
from flawsight.views import ImageCache, resize_image


def class_units(settings: StudySettings) -> Iterator[Unit]:
    """Each class as the good one; it stands in the place of the category."""
    assert settings.data is not None
    folder = folder_named(settings.data, "train", "training")
    classes = sorted(one.name for one in subfolders(folder)) if folder.is_dir() else []
    if not classes or not subfolders(folder_named(settings.data, "test", "testing")):
        raise FlawsightError(
            f"'{settings.data}' is no classification data set: give one with train/CLASS and test/CLASS"
        )
    for base in bases(settings, classes):
        layers = usual_layers(settings, base)
        for seed in settings.seeds:
            for method in settings.detector:
                yield replace(base, method=method, layers=layers, seed=seed)


def measure_classes(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """AU-ROC over the whole test set, learned from the good class."""
    first = units[0]
    assert settings.data is not None
    few = settings.most_good, settings.most_test
    product = _product(settings.data, first.category, first.image_size, *few, first.seed if settings.most_good else 0)
    network = network_of(settings, first)
    members = [MemberSpec(read_layers(network, unit.layers), detector_of(settings, unit)) for unit in units]
    asked = fitted_and_asked(
        network, product.good, product.test, members, lambda _, found: {"auroc": product.measured(found)["auroc"]}
    )
    return list(asked)


@lru_cache(maxsize=1)
def _product(data: Path, good: str, side: int, most_good: int | None, most_test: int | None, seed: int) -> Product:
    dataset = open_dataset(data, good_class=good)
    paths = sorted(sample.path for sample in dataset.select("train", GOOD))
    paths = [paths[at] for at in drawn(len(paths), most_good, seed)]
    known = test_samples(dataset)
    chosen = [known[at] for at in drawn(len(known), most_test, 0)]
    pixels = replace(learn_pixel_format(paths), is_colour=None)  # a grey picture among colours is new, and no mistake
    test = [resize_image(read_image(sample.path, pixels=pixels), side) for sample in chosen]
    cache = ImageCache(paths, side, pixels=pixels)
    return Product(side, paths, cache, Dataset(chosen, dataset.root, dataset.layout), test, None, ())


def by_class(frame: pd.DataFrame) -> list[Table]:
    """AU-ROC by good class and method."""
    lines = prepared(frame).rename(columns={"category": "good class"})
    return [
        pivot(part, "good class", "method", "auroc", f"AU-ROC of one class against the others on {network}")
        for network, part in lines.groupby("network", sort=False)
    ]
