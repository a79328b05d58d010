"""How well do normal distributions per position localise? PaDiM's maps beside PatchCore's, on the same layers.

    python -m benchmarks.gaussian_maps DATA --out docs/studies/gaussian_maps.csv

The layers are the default network's fixed pair; both learn from the same good images, one seed, and are measured on
the same test images at 256 x 256.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks._exam import measure
from benchmarks.detectors import open_product
from flawsight.detectors import Gaussian, PatchCore
from flawsight.features import Extractor
from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import auroc

CATEGORIES = ("magnetic_tile", "kolektorsdd_tiles", "cookie", "paper_pa_bft01_tl")
METHODS = {
    "PatchCore": PatchCore,
    "Gaussian": Gaussian,
    "Gaussian, 16 x 16 x 32": lambda: Gaussian().low_fidelity(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/gaussian_maps.csv"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--most-good", type=int, default=140)
    parser.add_argument("--most-test", type=int, default=120)
    options = parser.parse_args()
    rows = []
    for category in options.categories:
        for row in study(options.data / category, options.most_good, options.most_test):
            rows.append({"category": category, **row})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out, index=False, float_format="%.6g")
    means = 100 * table.groupby("method", sort=False)[["auroc", "aupro_0.30", "p_h", "auroc_pooled"]].mean()
    print(f"\nMeans over categories, in percent\n{means.round(1).to_string()}")


def study(folder: Path, most_good: int, most_test: int) -> Iterator[dict]:
    extractor = Extractor()
    product = open_product(folder, 0, most_good, most_test)
    for name, make in METHODS.items():
        reader = MemberSpec(extractor.default_pair, make())
        start = time.perf_counter()
        fit_detectors(extractor, product.good, [reader])
        fitted = time.perf_counter() - start
        (found,) = predict_raw(extractor, product.test, [reader])
        image, pixel, both = measure(found.maps, product.labels, product.truth)
        pooled = auroc(found.scores, product.labels) if found.scores is not None else float("nan")
        yield {
            "method": name,
            "auroc": image,
            "aupro_0.30": pixel,
            "p_h": both,
            "auroc_pooled": pooled,
            "seconds_to_fit": fitted,
            "learned_megabytes": sum(v.numel() * v.element_size() for v in reader.detector.state_dict().values()) / 1e6,
        }


if __name__ == "__main__":
    main()
