"""What does the default cost that samples 16,384 descriptors before the memory bank is chosen?

    python -m benchmarks.rules.stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.sampling STAND_INS --out docs/studies

P_h on the test images of the stand-in products, PatchCore on one layer of each depth and on the fixed pair, with the
sample, with all descriptors, and with another seed (which says how large a difference chance makes).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.rules.fusion import MAP_SIDE, Product, stand_in
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.inference import LayerSet, MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import auroc, harmonic_mean
from flawsight.scoring import upsample

SETTINGS = {
    "16,384 descriptors": PatchCore(),
    "all descriptors": PatchCore(max_descriptors=None),
    "16,384, another seed": PatchCore(seed=1),
}
FINE = "blocks.1.1.add"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stand_ins", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    options = parser.parse_args()
    extractor = Extractor()
    sets: list[LayerSet] = [(FINE,), *((name,) for name in extractor.default_pair), extractor.default_pair]
    rows = []
    for folder in sorted(path for path in options.stand_ins.iterdir() if path.is_dir()):
        product = stand_in(folder)
        for name, prototype in SETTINGS.items():
            for layers, figure in measure(extractor, product, prototype, sets).items():
                rows.append({"product": product.name, "setting": name, "layers": "+".join(layers), "p_h": figure})
        print(product.name, flush=True)
    table = pd.DataFrame(rows)
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out / "sampling.csv", index=False)
    means = 100 * table.pivot_table(index="setting", columns="layers", values="p_h", sort=False)
    print(means.round(2).to_string())


def measure(
    extractor: Extractor, product: Product, prototype: PatchCore, sets: list[LayerSet]
) -> dict[LayerSet, float]:
    assert product.truth is not None
    readings = [MemberSpec(layers, PatchCore(**prototype.get_params())) for layers in sets]
    fit_detectors(extractor, product.good, readings)
    figures = {}
    for layers, found in zip(sets, predict_raw(extractor, product.test, readings), strict=True):
        square = np.stack([upsample(one, MAP_SIDE) for one in found.maps])
        figures[layers] = harmonic_mean(auroc(square.max(axis=(1, 2)), product.labels), product.truth.aupro(square))
    return figures


if __name__ == "__main__":
    main()
