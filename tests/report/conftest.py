"""A realistic report with made-up figures: 148 layers on three kinds of defects painted into generated textures."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from flawsight.defects import make
from flawsight.metrics import harmonic_mean, operating_point
from flawsight.report import DefectExample, FitReport, LayerScore
from flawsight.scoring import ColourScale

KINDS = ("nsa", "cutpaste", "subtle")
BLOCKS = (("input", 3, 2), ("blocks.0", 7, 2), ("blocks.1", 16, 4), ("blocks.2", 16, 8), ("blocks.3", 26, 16))
BLOCKS += (("blocks.4", 26, 16), ("blocks.5", 36, 32), ("blocks.6", 10, 32), ("output", 8, 32))
SIDE = 256


def texture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 1.2)
    coarse = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 8)
    grey = 140 + 60 * fine + 260 * coarse
    return np.clip(grey[..., None] * np.array([1.0, 0.94, 0.82]), 0, 255).astype(np.uint8)


def noise_map(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE)).astype(np.float32)
    return 10 + 2.2 * cv2.GaussianBlur(noise, (0, 0), 10) / 0.03


def example(kind: str, seed: int) -> DefectExample:
    image, mask = make(kind)(texture(seed), np.random.default_rng(seed), [texture(seed + 100)])
    heat = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 7)
    return DefectExample(kind, image, mask, noise_map(seed) + (8 if kind == "subtle" else 24) * heat)


def layer_scores(kind: str, offset: float) -> list[LayerScore]:
    rng = np.random.default_rng(len(kind))
    blocks = [(block, stride) for block, count, stride in BLOCKS for _ in range(count)]
    scores = []
    for order, (block, stride) in enumerate(blocks):
        level = 0.93 - offset - ((order - 70) / 130) ** 2
        auroc = float(np.clip(level + rng.normal(0, 0.025), 0.3, 0.995))
        aupro = float(np.clip(level - 0.05 + rng.normal(0, 0.035), 0.2, 0.98))
        scores.append(
            LayerScore(
                layer=f"{block}.{order % 4}.conv_{order}",
                block=block,
                kind=("conv", "bn", "add")[order % 3],
                order=order,
                stride=stride,
                channels=16 + 8 * order,
                defects=kind,
                auroc=auroc,
                aupro=aupro,
                p_h=harmonic_mean(auroc, aupro),
                seconds=0.4,
                stage="full" if order % 3 == 0 else "coarse",
            )
        )
    return scores


@pytest.fixture(scope="session")
def report() -> FitReport:
    return sample_report()


def sample_report() -> FitReport:
    scores = [score for place, kind in enumerate(KINDS) for score in layer_scores(kind, 0.05 * place)]
    calibration = np.random.default_rng(3).gamma(9, 0.9, 240) + 6
    point = operating_point(calibration, 0.01)
    names = {score.order: score.layer for score in scores}
    chosen = [(names[63],), (names[36],), (names[90],)]
    return FitReport(
        title="Machined tiles, line 4",
        summary={"good_images": 240, "bundle": "bundles/machined tiles", "search": "auto"},
        scores=scores,
        chosen=chosen,
        shares=[0.5, 0.37, 0.13],
        examples=[example(kind, seed) for kind in KINDS for seed in range(4)],
        calibration_scores=calibration,
        operating_point=point,
        colour_scale=ColourScale(10.0, point.threshold),
        product={"texture": True, "background": None, "resize": [0.5, 2.0]},
        timings={
            "Read pictures": 4.2,
            "Try all layers, coarsely": 71.0,
            "Try the best fully": 38.0,
            "Fit, calibrate": 22.4,
        },
        settings={
            "extractor": {"name": "tf_efficientnet_lite0", "weights_sha256": "579344248a93e230" * 4, "image_size": 256},
            "detector": {"name": "patchcore", "bank_size": 1000, "neighbours": 3},
            "seed": 0,
        },
        good_examples=[(texture(seed), noise_map(seed)) for seed in range(50, 53)],
    )


@pytest.fixture(scope="session")
def report_of_few(report: FitReport) -> FitReport:
    return too_few_pictures(report)


def too_few_pictures(report: FitReport) -> FitReport:
    scores = np.asarray(report.calibration_scores)[:40]
    point = operating_point(scores, 0.01)
    return replace(
        report,
        summary={"good_images": 40},
        calibration_scores=scores,
        operating_point=point,
        colour_scale=ColourScale(report.colour_scale.low, point.threshold),
    )
