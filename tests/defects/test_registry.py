from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.defects import KINDS, Product, make
from flawsight.defects.kinds.nsa import NSA


def test_the_kinds() -> None:
    assert list(KINDS) == ["simple", "cutpaste", "nsa", "perlin", "sdas", "subtle", "scratch"]


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(FlawsightError, match="did you mean cutpaste"):
        make("cut-paste")


def test_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(FlawsightError, match="did you mean tries"):
        make("nsa", trys=3)


def test_product_fields_override_the_product() -> None:
    defect = make("nsa", product=Product(num_patches=3, resize=(0.7, 1.3)), num_patches=1, tolerance=4.0)
    assert isinstance(defect, NSA)
    assert (defect.product.num_patches, defect.product.resize, defect.tolerance) == (1, (0.7, 1.3), 4.0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_a_product(make_any: Callable, kind: str) -> None:
    make_any(kind, product=Product(texture=False))


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("simple", {"size": (0.5, 0.1)}),
        ("simple", {"size": None}),
        ("simple", {"size": (0.1, 0.9)}),
        ("simple", {"redraws": 0}),
        ("cutpaste", {"label": "box"}),
        ("nsa", {"num_patches": 1.5}),
        ("nsa", {"half_width": (0.1, 0.7)}),
        ("nsa", {"gamma": (0.0, 1.0, 1.0)}),
        ("nsa", {"tries": 0}),
        ("nsa", {"min_object_share": 1.5}),
        ("nsa", {"background": (3.0,)}),
        ("perlin", {"opacity": (0.0, float("nan"))}),
        ("perlin", {"textures": []}),
        ("perlin", {"most_cells": 0}),
        ("sdas", {"pictures": [np.zeros((4, 4), np.uint8)]}),
        ("sdas", {"pictures": [np.zeros((4, 4, 3), np.uint8)], "opacity": (0.5, 2.0)}),
        ("subtle", {"contrast": (-1.0, 1.0)}),
        ("scratch", {"width": (0.0, 1.0)}),
    ],
)
def test_wrong_parameters_are_refused(kind: str, params: dict[str, Any]) -> None:
    with pytest.raises(FlawsightError):
        make(kind, **params)
