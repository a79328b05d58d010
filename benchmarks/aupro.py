"""AU-PRO of many large maps."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch

from benchmarks import _exact
from benchmarks._anomalib import peer_name
from benchmarks._measure import OURS_OVER_PEER, Row, Run, alternate
from flawsight import metrics

LIMIT = 0.3
PLAIN = "plain sort of all pixels"


def run(run: Run) -> Iterator[Row]:
    """Time and value, against a plain sort of all pixels in float64 and against anomalib's metric."""
    from anomalib.metrics.aupro import _AUPRO

    count, side = run.size((80, 1024), (8, 256))
    maps, masks = smooth_maps(count, side, run.seed)
    map_tensor, mask_tensor = torch.from_numpy(maps), torch.from_numpy(masks)

    def theirs() -> float:
        metric = _AUPRO(fpr_limit=LIMIT)
        metric.update(map_tensor, mask_tensor)
        return float(metric.compute())

    found = alternate(
        {
            "ours": lambda: metrics.aupro(maps, masks, LIMIT),
            "plain": lambda: _exact.aupro(maps, masks, LIMIT),
            "theirs": theirs,
        },
        run.repeat,
    )
    ours = found["ours"]
    settings = {"maps": count, "side": side, "limit": LIMIT}
    for key, peer, target in (("plain", PLAIN, ">= 15"), ("theirs", peer_name("AUPRO"), "> 1")):
        other = found[key]
        figures, values = (ours.median, other.median), (ours.result, other.result)
        details = {"ours_s": ours.seconds, "peer_s": other.seconds}
        yield run.row("aupro", "time", figures, "s", peer, target=target, settings=settings, details=details)
        difference = ours.result - other.result
        yield run.row(
            "aupro",
            "value",
            values,
            "",
            peer,
            OURS_OVER_PEER,
            target="difference <= 1e-9" if key == "plain" else "",
            note=f"difference {difference:.1e}",
            settings=settings,
            details={"difference": difference},
        )


def smooth_maps(count: int, side: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random maps (count, side, side) float32 and bool masks of one to five ellipses; each fourth is good.

    Maps are somewhat higher where the mask is set, as a fair detector's are.
    """
    rng = np.random.default_rng(seed)
    maps = np.empty((count, side, side), np.float32)
    masks = np.zeros((count, side, side), bool)
    for index in range(count):
        noise = rng.standard_normal((32, 32), np.float32)
        maps[index] = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        if index % 4 == 3:
            continue
        drawn = np.zeros((side, side), np.uint8)
        for _ in range(rng.integers(1, 6)):
            centre, axes = rng.integers(0, side, 2), rng.integers(side // 64, side // 12, 2)
            cv2.ellipse(drawn, centre.tolist(), axes.tolist(), float(rng.uniform(0, 180)), 0, 360, 1, -1)
        masks[index] = drawn > 0
        maps[index] += cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), side / 64) * np.float32(1.5)
    return maps, masks
