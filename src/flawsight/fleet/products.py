"""Which products there are: the folders in a folder, or the rows of a table, each with its own options."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError, safe_name, same_name
from flawsight.data.files import folder_named, has_images, subfolders
from flawsight.settings import FitAllSettings, FitSettings, InspectorOptions, TrackOptions, WorkerOptions

COLUMNS = ("name", "folder")
"""Of a table; all others are options."""


@dataclass(frozen=True)
class Product:
    """A product's name, which is that of its bundle's folder, and the options of its fit.

    >>> Product("cap", fs.FitSettings(good=good, out=tmp / "bundles" / "cap")).settings.image_size
    256
    """

    name: str
    settings: FitSettings


def find_products(settings: FitAllSettings) -> list[Product]:
    """The products in order of their names; FlawsightError names what is wrong, with the table's line.

    >>> _ = (tmp / "products.csv").write_text(f"name,folder,image-size\\ncap,{good},128\\nnut,{good},\\n")
    >>> products = find_products(fs.settings.FitAllSettings(products=tmp / "products.csv", out=tmp / "bundles"))
    >>> [(one.name, one.settings.image_size) for one in products]
    [('cap', 128), ('nut', 256)]
    """
    where = settings.products
    if settings.out is None:
        raise FlawsightError("--out is missing: name the folder for the bundles")
    found = dict[str, Product]()
    for name, place, given in _given(where, settings.out):
        if same_name(name) in found:
            raise FlawsightError(f"{place}: the name '{name}' is there twice: the bundles are named by it")
        shared = {one: getattr(settings, one) for one in settings.changed(InspectorOptions)}
        for one in (*WorkerOptions.model_fields, *TrackOptions.model_fields):
            shared.pop(one, None)
        try:
            options = FitSettings.of({**shared, **given, "out": settings.out / name})
        except FlawsightError as error:
            raise FlawsightError(f"{place}: {error}") from error
        found[same_name(name)] = Product(name, options)
    return sorted(found.values(), key=lambda product: product.name)


def _given(where: Path, out: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of each product its name, where it was said, and its own options."""
    return _rows(where) if where.suffix.lower() == ".csv" else _folders(where, out)


def _folders(where: Path, out: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if not where.is_dir():
        raise FlawsightError(f"'{where}' is no folder: name one with a folder for each product, or a CSV table")
    if has_images(where) or folder_named(where, "train").is_dir():
        raise FlawsightError(f"'{where}' holds pictures itself: for one product use `flawsight fit`")
    folders = [folder for folder in subfolders(where) if folder.resolve() != out.resolve()]
    if not folders:
        raise FlawsightError(f"'{where}' is empty: it should hold a folder for each product")
    return ((folder.name, f"'{folder}'", {"good": folder}) for folder in folders)


def _rows(table: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FlawsightError(f"the table '{table}' cannot be read: {error}") from error
    if not rows or any(column not in rows[0] for column in COLUMNS):
        raise FlawsightError(f"the table '{table}' needs a line of titles, name and folder among them, and products")
    for line, row in enumerate(rows, start=2):
        place = f"'{table}', line {line}"
        if None in row or None in row.values():
            raise FlawsightError(f"{place}: it has {'more' if None in row else 'fewer'} cells than there are titles")
        cells = {title.strip().replace("-", "_"): text.strip() for title, text in row.items()}
        name, folder = (cells.pop(column) for column in COLUMNS)
        if not name or not folder or name.startswith(".") or safe_name(name) != name:
            raise FlawsightError(
                f"{place}: '{name}' and '{folder}' should be the name of a folder to make, and a folder"
            )
        given: dict[str, Any] = {title: text for title, text in cells.items() if text}
        for title in set(FitSettings.paths()) & given.keys():
            if given[title] != "auto":
                given[title] = table.parent / given[title]
        yield name, place, {**given, "good": table.parent / folder}
