"""fit-all: every product becomes a bundle; one that cannot does not stop the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from filelock import FileLock, Timeout

from flawsight.core import FlawsightError, Progress, default_progress, writable_folder
from flawsight.executors import Executor, open_executor
from flawsight.fleet.alike import warm_starts
from flawsight.fleet.index import write_index
from flawsight.fleet.job import FitProduct
from flawsight.fleet.kept import FOLDER
from flawsight.fleet.products import Product, find_products
from flawsight.fleet.row import ProductRow, write_summary
from flawsight.pipeline.load_images import find_good
from flawsight.settings import FitAllSettings
from flawsight.tracking import Tracker, open_tracker

SECONDS_BETWEEN_PAGES = 10.0
MOST_WRITING = 0.05
"""The page and the table are written anew no more often, and in no more than this share of the time."""


@dataclass(frozen=True)
class FitAllResult:
    """A row for each product, in order of their names, and what to mind beside them.

    >>> FitAllResult((ProductRow("cap", "failed", error="no picture"),)).failed[0].name
    'cap'
    """

    rows: tuple[ProductRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> list[ProductRow]:
        """Those without a bundle."""
        return [row for row in self.rows if not row.is_fitted]


def fit_all(products: str | Path, out: str | Path, *, progress: Progress | None = None, **options: Any) -> FitAllResult:
    """Fit a bundle for every product: each folder in a folder, or each row of a CSV table (name, folder, own options).

    `options` are those of the command, by name (`flawsight.settings.FitAllSettings`). index.html and summary.csv are
    written beside the bundles. Products that were fitted before from the same pictures and options are not touched.

    >>> (tmp / "plant").mkdir()
    >>> (tmp / "plant" / "cap").symlink_to(good)
    >>> result = fs.fit_all(tmp / "plant", tmp / "bundles", image_size=64, fixed_layers="blocks.2.1.add")
    >>> [(row.name, row.status) for row in result.rows]
    [('cap', 'fitted')]
    """
    return run_fit_all(FitAllSettings.of({"products": products, "out": out, **options}), progress)


def run_fit_all(settings: FitAllSettings, progress: Progress | None = None) -> FitAllResult:
    """`fit_all` with settings that are made already.

    >>> settings = fs.settings.FitAllSettings(products=tmp / "none", out=tmp / "bundles")
    >>> run_fit_all(settings)
    Traceback (most recent call last):
        ...
    flawsight.core.errors.FlawsightError: '...none' is no folder: ...
    """
    watch = progress or default_progress()
    products = find_products(settings)
    assert settings.out is not None
    out = writable_folder(settings.out)
    with (
        _alone(out),
        open_tracker(settings.track, out) as tracker,
        open_executor(settings.workers, settings.ray) as executor,
    ):
        table = _Table(out, products, tracker)
        try:
            for some, first in warm_starts(products, executor, watch) if settings.warm_start else [(products, {})]:
                table.fill(executor, FitProduct(settings.overwrite, first), some, watch)
        finally:
            table.write()
    return FitAllResult(table.sorted, tuple(tracker.notes))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Nobody else writes there meanwhile."""
    place = writable_folder(out / FOLDER) / "lock"
    try:
        with FileLock(place, timeout=0):
            yield
    except Timeout as error:
        raise FlawsightError(f"another fit-all is writing to '{out}': wait for it, or choose another --out") from error


class _Table:
    """Rows as they come; on the disk soon after."""

    def __init__(self, out: Path, products: Sequence[Product], tracker: Tracker) -> None:
        self.rows: dict[str, ProductRow] = {}
        self._out, self._products, self._tracker = out, products, tracker
        self._next = monotonic() + SECONDS_BETWEEN_PAGES

    @property
    def sorted(self) -> tuple[ProductRow, ...]:
        """In order of the products' names."""
        return tuple(self.rows[one.name] for one in self._products if one.name in self.rows)

    def fill(self, executor: Executor, job: FitProduct, products: Sequence[Product], progress: Progress) -> None:
        """Fit these products, those with most pictures first: nobody waits long for the last one."""
        products = sorted(products, key=_pictures, reverse=True)
        with progress.stage(f"Fitting {len(products)} products", len(products)) as advance:
            for outcome in executor.map(job, products):
                name = products[outcome.number].name
                row = outcome.value or ProductRow(name, "failed", error=outcome.lost)
                self.rows[name] = row
                if row.status == "fitted":
                    self._tracker.note(name, self._out / name, row.seconds)
                if monotonic() > self._next:
                    self.write()
                advance(1)

    def write(self) -> None:
        """summary.csv and index.html of what there is by now."""
        start = monotonic()
        write_summary(self._out, self.sorted)
        write_index(self._out, self.sorted, len(self._products))
        taken = monotonic() - start
        self._next = start + max(SECONDS_BETWEEN_PAGES, taken / MOST_WRITING)


def _pictures(product: Product) -> int:
    try:
        return len(find_good(product.settings, product.settings.good)[0])
    except FlawsightError:  # which the fit will say
        return 0
