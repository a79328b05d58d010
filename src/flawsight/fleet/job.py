"""The unit of work: one product becomes a bundle, and a row."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from time import perf_counter

import numpy as np

from flawsight.bundle import read_manifest
from flawsight.core import FlawsightError, Silent, cache_key
from flawsight.fleet.kept import is_ours, keep_row, kept_row, product_key
from flawsight.fleet.products import Product
from flawsight.fleet.row import ProductRow
from flawsight.metrics import pod_curve
from flawsight.pipeline import FitResult, run_fit
from flawsight.report.data_uri import data_uri
from flawsight.runtime.measure import peak_mib

PICTURE_SIDE = 72


@dataclass(frozen=True)
class FitProduct:
    """Fits a product, unless it was fitted before from the same; whatever goes wrong with it is said in its row.

    `first`: by the product's name, layers to be tried first.
    """

    overwrite: bool = False
    first: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, product: Product) -> ProductRow:
        """The row of the product."""
        try:
            return self._row(product)
        except FlawsightError as error:
            return ProductRow(product.name, "failed", error=str(error))
        except Exception as error:  # the others are not to suffer
            logging.getLogger(__name__).exception("product %s", product.name)
            return ProductRow(product.name, "failed", error=f"{type(error).__name__}: {error}")

    def _row(self, product: Product) -> ProductRow:
        start, settings = perf_counter(), product.settings
        key = product_key(product)
        if not self.overwrite and (kept := kept_row(product, key)):
            return kept
        out = settings.out
        assert out is not None
        if not is_ours(product) and not self.overwrite:
            raise FlawsightError(f"'{out}' holds a bundle that fit-all did not make: move it away, or add --overwrite")
        lost = _approved(product)
        # From now on whatever lies there is ours, and unfinished until it is said otherwise.
        keep_row(product, "", ProductRow(product.name, "failed", error="it was not finished"))
        given = {"overwrite": True, "first": self.first.get(product.name, settings.first)}
        # Bundles may lie on a slow drive that many share: what is not finished stays on this machine's own disk.
        work = Path(gettempdir()) / f"flawsight-{cache_key(str(Path.home()), str(out.resolve()))}"
        result = run_fit(settings.model_copy(update=given), Silent(), work)
        row = _told(product.name, result, lost, perf_counter() - start)
        keep_row(product, key, row)
        return row


def _approved(product: Product) -> list[str]:
    """What to mind where somebody had approved a threshold of the bundle that is replaced."""
    assert product.settings.out is not None
    try:
        revisions = read_manifest(product.settings.out).revisions
    except FlawsightError:
        return []
    if len(revisions) < 2:
        return []
    return [f"the threshold that {revisions[-1].by} approved on {revisions[-1].at[:10]} went with the old bundle"]


def _told(name: str, result: FitResult, lost: list[str], seconds: float) -> ProductRow:
    manifest = result.inspector.manifest
    figures = manifest.selection.p_h if manifest.selection else {}
    pod = manifest.pod
    point = manifest.operating_point
    support = (
        []
        if point.is_supported
        else [f"{point.calibration_size} different parts support no rate below {point.rate:.2%}"]
    )
    return ProductRow(
        name,
        "fitted",
        manifest.data.images,
        float(np.mean(list(figures.values()))) if figures else None,
        pod_curve(*pod.together()).found_from if pod else None,
        sum(sum(one.curve.hits) for one in pod.kinds) if pod else None,
        sum(sum(one.curve.trials) for one in pod.kinds) if pod else None,
        point.threshold,
        point.rate,
        " ".join("+".join(layers) for layers in manifest.layers),
        (*lost, *support, *result.record.notes),
        seconds,
        peak_mib(),
        picture=data_uri(np.asarray(result.record.images[0]), PICTURE_SIDE),
    )
