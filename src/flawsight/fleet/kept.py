"""What is kept of a finished product, so that it is not fitted again while its pictures and options stay the same."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from flawsight.bundle import read_manifest
from flawsight.bundle.store import MANIFEST
from flawsight.core import FlawsightError, cache_key, sha256_of, write_whole
from flawsight.data import find_images, fingerprint
from flawsight.fleet.products import Product
from flawsight.fleet.row import ProductRow
from flawsight.pipeline.load_images import find_good
from flawsight.pipeline.package import OF_THE_MACHINE

FOLDER = ".products"


def product_key(product: Product) -> str:
    """Names the pictures, whatever else the fit reads, and its options."""
    settings = product.settings
    digests = [fingerprint(find_good(settings, settings.good)[0])]
    for name in settings.paths():
        place = getattr(settings, name)
        if name in ("good", "out") or place is None:
            continue
        if name == "generator" or not place.exists():  # the fit itself may make one
            digests.append(f"{name}={place}")
        else:
            digests.append(f"{name}={fingerprint(find_images(place, True)) if place.is_dir() else sha256_of(place)}")
    return cache_key(
        *digests, json.dumps(settings.dump(OF_THE_MACHINE - {"budget"}), sort_keys=True), repr(settings.detector)
    )


def kept_row(product: Product, key: str) -> ProductRow | None:
    """What was said of the product when it was fitted from the same; None where it must be fitted."""
    try:
        stored = json.loads(_file(product).read_text(encoding="utf-8"))
        if stored["key"] != key:
            return None
        assert product.settings.out is not None
        read_manifest(product.settings.out)
        return replace(ProductRow.of(stored["row"]), status="unchanged")
    except (OSError, ValueError, KeyError, TypeError, FlawsightError):
        return None


def keep_row(product: Product, key: str, row: ProductRow) -> None:
    """Keep what was said, once the bundle is there."""
    file = _file(product)
    file.parent.mkdir(exist_ok=True)
    write_whole(file, json.dumps({"key": key, "row": asdict(row)}, indent=1))


def is_ours(product: Product) -> bool:
    """Whether the bundle that is there, if any, was made by fit-all, so that it may be replaced."""
    out = product.settings.out
    assert out is not None
    return _file(product).exists() or not (out / MANIFEST).exists()


def _file(product: Product) -> Path:
    assert product.settings.out is not None
    return product.settings.out.parent / FOLDER / f"{product.name}.json"
