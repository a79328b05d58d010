"""Where mixed precision helps: each trained method in bfloat16 beside the same in float32, on the same features.

    python -m benchmarks.mixed_precision DATA/magnetic_tile

40 good images, the default network at 256 x 256, its customary pair of layers, each method's defaults but for a short
training; both precisions in turn, twice, the faster of each. The correlation is that of their maps of 20 other images.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._exam import SIDE
from benchmarks._inputs import good_paths
from flawsight.data import read_image
from flawsight.detectors import Detector, make_detector
from flawsight.features import Extractor
from flawsight.views import resize_image

SHORT: dict[str, dict[str, Any]] = {
    "simplenet": {"epochs": 10},
    "simplenet, descriptors of 1536": {"epochs": 2, "embed_dim": 1536},
    "fastflow": {"training_steps": 4, "max_grid": 16},
    "ast": {"epochs": 2},
    "autoencoder": {"epochs": 4},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    extractor = Extractor(device="cpu")
    images = [resize_image(read_image(path), SIDE) for path in good_paths(options.data, 60, 0)]
    maps = list(extractor.extract(images, extractor.default_pair).values())
    pictures = [torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255]
    print(f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}\n")
    print("| method | float32, s | bfloat16, s | ratio | correlation of the maps |\n|---|---|---|---|---|")
    for name, parameters in SHORT.items():
        features = pictures if name == "autoencoder" else maps
        plain, mixed = [], []
        for _ in range(2):
            plain.append(timed(name, parameters, features, False))
            mixed.append(timed(name, parameters, features, True))
        seconds = [min(took for took, _ in runs) for runs in (plain, mixed)]
        found = [runs[0][1].anomaly_maps([values[40:] for values in features]).flatten() for runs in (plain, mixed)]
        alike = np.corrcoef(*found)[0, 1]
        shown = (f"{seconds[0]:.1f}", f"{seconds[1]:.1f}", f"{seconds[1] / seconds[0]:.2f}", f"{alike:.4f}")
        print(f"| {name} | {' | '.join(shown)} |", flush=True)


def timed(name: str, parameters: dict, features: list[Tensor], mixed: bool) -> tuple[float, Detector]:
    detector = make_detector(name.partition(",")[0], **parameters, mixed_precision=mixed)
    start = time.perf_counter()
    detector.fit([values[:40] for values in features])
    return time.perf_counter() - start, detector


if __name__ == "__main__":
    main()
