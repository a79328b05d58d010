"""Which products there are: the folders in a folder, or the rows of a table, each with its own options."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError, safe_name, same_name
from flawsight.data.files import folder_named, has_images, subfolders
from flawsight.fleet.index import PAGE
from flawsight.fleet.row import SUMMARY
from flawsight.settings import FitAllSettings, FitSettings, InspectorOptions, TrackOptions, WorkerOptions
from flawsight.tracking.tracker import ARTIFACTS, STORE

COLUMNS = ("name", "folder")
"""Of a table; all others are options."""
OF_ALL = {*WorkerOptions.model_fields, *TrackOptions.model_fields, "overwrite"}
"""Options of the command as a whole."""
TAKEN = {PAGE, SUMMARY, STORE, ARTIFACTS}
"""Names of other files beside the bundles."""
NO_PLACE = {"auto", "random"}
"""What an option that names a file may say instead."""


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
    where = settings.products.absolute()
    if settings.out is None:
        raise FlawsightError("--out is missing: name the folder for the bundles")
    out, found = settings.out.absolute(), dict[str, Product]()
    shared = {name: getattr(settings, name) for name in settings.changed(InspectorOptions) if name not in OF_ALL}
    for name, place, given in _given(where, out):
        if same_name(name) in found or name in TAKEN:
            raise FlawsightError(f"{place}: the name '{name}' is taken: the bundles are named by it")
        own = {"generator": settings.generator / name} if settings.generator else {}  # each learns from its own
        try:
            options = FitSettings.of({**shared, **own, **given, "out": out / name})
        except FlawsightError as error:
            raise FlawsightError(f"{place}: {error}") from error
        if options.out == options.good:
            raise FlawsightError(f"{place}: its bundle would lie among its pictures: choose another --out")
        found[same_name(name)] = Product(name, _absolute(options))
    return sorted(found.values(), key=lambda product: product.name)


def _absolute(settings: FitSettings) -> FitSettings:
    """The same wherever a worker runs."""
    places = {name: getattr(settings, name) for name in FitSettings.paths()}
    named = {
        name: place.absolute()
        for name, place in places.items()
        if isinstance(place, Path) and str(place) not in NO_PLACE
    }
    return settings.model_copy(update=named)


def _given(where: Path, out: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of each product its name, where it was said, and its own options."""
    return _rows(where) if where.suffix.lower() == ".csv" else _folders(where, out)


def _folders(where: Path, out: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if not where.is_dir():
        raise FlawsightError(f"'{where}' is no folder: name one with a folder for each product, or a CSV table")
    if has_images(where) or folder_named(where, "train").is_dir():
        raise FlawsightError(f"'{where}' holds pictures itself: for one product use `flawsight fit`")
    folders = [folder for folder in subfolders(where) if not out.resolve().is_relative_to(folder.resolve())]
    if not folders:
        raise FlawsightError(f"'{where}' is empty: it should hold a folder for each product")
    return ((folder.name, f"'{folder}'", {"good": folder}) for folder in folders)


def _rows(table: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FlawsightError(f"the table '{table}' cannot be read: {error}") from error
    titles = [title.replace("-", "_") for title in lines[0][1]] if lines else []
    if len(lines) < 2 or not {*COLUMNS} <= {*titles}:
        raise FlawsightError(f"the table '{table}' needs a line of titles, name and folder among them, and products")
    for title in titles:
        if title in {*OF_ALL, "out", "good"} or titles.count(title) > 1:
            raise FlawsightError(f"the table '{table}' cannot have the title '{title}', or not twice")
    for line, row in lines[1:]:
        place = f"'{table}', line {line}"
        if len(row) != len(titles):
            raise FlawsightError(f"{place}: it has {len(row)} cells, and there are {len(titles)} titles")
        cells = dict(zip(titles, row, strict=True))
        name, folder = (cells.pop(column) for column in COLUMNS)
        if not name or not folder or name.startswith(".") or safe_name(name) != name:
            raise FlawsightError(
                f"{place}: '{name}' and '{folder}' should be the name of a folder to make, and a folder"
            )
        given: dict[str, Any] = {title: text for title, text in cells.items() if text}
        for title in set(FitSettings.paths()) & given.keys():
            if given[title] not in NO_PLACE:
                given[title] = table.parent / given[title]
        yield name, place, {**given, "good": table.parent / folder}
