"""Are channels that AFS chooses (paper E) good for PatchCore too? Fewer channels of the customary pair of layers.

    python -m benchmarks.afs_study DATA

For each category: all channels, and a half and a quarter of each layer's, chosen by AFS on defects of the kind
`perlin` made on the good images (seed 0), or at random (mean over seeds 0 to 2). P_h in percent; at most 80 good and
100 test images, 256 x 256, the default network, PatchCore with 1,000 descriptors.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.detector_study import CATEGORIES, Product, open_product
from benchmarks.selection_study import measure
from flawsight.defects import apply_defects, estimate_product, make
from flawsight.detectors import PatchCore
from flawsight.features import ChannelSelection, Extractor

AT_ONCE = 2
PAIRS = 64
Maps = list[Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", default=",".join(CATEGORIES))
    options = parser.parse_args()
    extractor = Extractor()
    widths = [extractor.layer(name).channels for name in extractor.default_pair]
    print("| category | all | AFS 1/2 | random 1/2 | AFS 1/4 | random 1/4 |\n|---|---|---|---|---|---|")
    for category in options.categories.split(","):
        product = open_product(options.data / category, 0, 80, 100)
        good, test = (list(read(extractor, images)) for images in (product.good, product.test))
        cells = [p_h(good, test, product, None)]
        triplets = made(extractor, product)
        for share in (2, 4):
            counts = [width // share for width in widths]
            chosen = ChannelSelection(counts).fit(triplets).channels_
            cells.append(p_h(good, test, product, chosen))
            at_random = []
            for seed in range(3):
                rng = np.random.default_rng(seed)
                drawn = zip(widths, counts, strict=True)
                channels = [torch.from_numpy(np.sort(rng.permutation(width)[:count])) for width, count in drawn]
                at_random.append(p_h(good, test, product, channels))
            cells.append(float(np.mean(at_random)))
        print(f"| {category} | {' | '.join(f'{100 * cell:.1f}' for cell in cells)} |", flush=True)


def read(extractor: Extractor, images: Sequence[np.ndarray]) -> list[Maps]:
    return [list(maps.values()) for maps in extractor.batches(images, extractor.default_pair, AT_ONCE)]


def made(extractor: Extractor, product: Product) -> list[tuple[Maps, Maps, Tensor]]:
    """Triplets of a few good images with a defect and without."""
    images = product.good[:PAIRS]
    defect = make("perlin", product=estimate_product(product.good))
    bad, masks = apply_defects(images, defect, kind="perlin", seed=0)
    truths = torch.from_numpy(np.stack(masks)).split(AT_ONCE)
    return list(zip(read(extractor, bad), read(extractor, images), truths, strict=True))


def p_h(good: Sequence[Maps], test: Sequence[Maps], product: Product, channels: Sequence[Tensor] | None) -> float:
    def few(batches: Sequence[Maps]) -> list[Maps]:
        if channels is None:
            return list(batches)
        return [[maps[:, chosen] for maps, chosen in zip(batch, channels, strict=True)] for batch in batches]

    detector = PatchCore(seed=0).fit(few(good))
    maps = np.concatenate([detector.anomaly_maps(batch).numpy() for batch in few(test)])
    return measure(maps, product.labels, product.truth)[2]


if __name__ == "__main__":
    main()
