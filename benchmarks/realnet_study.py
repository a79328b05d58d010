"""RealNet's ablations (Tables 1 and 5 of paper E) on real defects, with the preset for two cores.

    python -m benchmarks.realnet_study DATA --out docs/studies/realnet.csv --generators FOLDER

For each category and variant one training on at most 80 good images, measured on at most 100 test images at 256 x 256:
AU-ROC of the scores (the maps' maxima), pixel AU-ROC and AU-PRO (limit 0.3) of the maps, seconds, and the peak memory
of a process that does nothing else. VARIANTS differ from the first, the paper's method, as their names say. Generators
are kept in FOLDER, one a category. Rows are appended as they are made: run it again to go on. Nothing is chosen on test
images. DATA also holds `dtd_textures`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks._inputs import good_paths
from benchmarks.detector_study import open_product
from benchmarks.selection_study import SIDE, append_rows, rows_done
from flawsight.data import fingerprint
from flawsight.defects import read_textures
from flawsight.detectors import RealNet
from flawsight.features import INPUT, Extractor, stage_ends
from flawsight.generation import Generator, ensure_trained, load_or_sample
from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import auroc, harmonic_mean
from flawsight.pipeline.defect_sources import PICTURES, DefectRecipe, anomaly_synthesis
from flawsight.scoring import upsample
from flawsight.settings import DefectSettings
from flawsight.views import ImageCache

CATEGORIES = ("magnetic_tile", "paper_pa_bft01_tl")


class Variant(NamedTuple):
    """The source of anomalies (for `sdas` with its strengths), and parameters of RealNet."""

    kind: str
    strength: tuple[float, float] = (0.1, 0.2)
    parameters: dict[str, Any] = {}  # noqa: RUF012


VARIANTS = {
    "RealNet (SDAS)": Variant("sdas"),
    "anomalies from textures (DTD)": Variant("textures"),
    "anomalies from NSA": Variant("nsa"),
    "anomalies from CutPaste": Variant("cutpaste"),
    "without AFS: random channels": Variant("sdas", parameters={"reduction": "random"}),
    "without RRS": Variant("sdas", parameters={"residuals": "all"}),
    "without AFS and RRS: random channels": Variant("sdas", parameters={"reduction": "random", "residuals": "all"}),
    "without AFS: random projection": Variant("sdas", parameters={"reduction": "projection"}),
    "s = 0": Variant("sdas", (0.0, 0.0)),
    "RRS ranked as in the official code": Variant("sdas", parameters={"normalise_ranking": True}),
    "anomalies from good images (perlin)": Variant("perlin"),
    "s = 0.1": Variant("sdas", (0.1, 0.1)),
    "s = 0.2": Variant("sdas", (0.2, 0.2)),
    "RRS: Max": Variant("sdas", parameters={"residuals": "max"}),
    "RRS: Avg": Variant("sdas", parameters={"residuals": "avg"}),
    "retention 1/6": Variant("sdas", parameters={"retention": 1 / 6}),
    "retention 2/3": Variant("sdas", parameters={"retention": 2 / 3}),
}
COLUMNS = ("category", "variant", "seed", "steps", "auroc", "pixel_auroc", "aupro_0.30", "p_h", "seconds", "peak_mib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/realnet.csv"))
    parser.add_argument("--generators", type=Path, required=True)
    parser.add_argument("--categories", default=",".join(CATEGORIES))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--steps", type=int, default=300, help="training steps of RealNet, whose default is 1000")
    parser.add_argument("--generator-steps", type=int, default=1200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.variants:
            for category in options.categories.split(","):
                if (category, name, seed, options.steps) in rows_done(
                    options.out, "category", "variant", "seed", "steps"
                ):
                    continue
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                    row = process.submit(measured, options, category, name, seed).result()
                append_rows(options.out, COLUMNS, [row])
                print(category, name, {key: round(row[key], 3) for key in COLUMNS[4:]}, flush=True)
    report(options.out)


def measured(options: argparse.Namespace, category: str, name: str, seed: int) -> dict[str, Any]:
    variant = VARIANTS[name]
    folder = options.data / category
    paths = good_paths(folder, 80, seed)
    parameters = blended(variant, options, category, paths, seed)
    product = open_product(folder, seed, 80, 100)
    extractor = Extractor()
    layers = stage_ends(extractor.layers)
    kind = "perlin" if variant.kind == "textures" else variant.kind
    recipe = DefectRecipe((kind,), {kind: parameters})
    settings = DefectSettings.of({"seed": seed})
    detector = RealNet(training_steps=options.steps, seed=seed, **variant.parameters)
    detector.attach(anomaly_synthesis(extractor, layers, product.good, recipe, settings))
    reading = MemberSpec((INPUT, *layers), detector)
    start = time.perf_counter()
    fit_detectors(extractor, product.good, [reading])
    seconds = time.perf_counter() - start
    (found,) = predict_raw(extractor, product.test, [reading])
    maps = np.stack([upsample(one, SIDE) for one in found.maps])
    image = auroc(found.maps.max(axis=(1, 2)), product.labels)
    pixel, (overlap,) = product.truth.figures(maps)
    return {
        "category": category,
        "variant": name,
        "seed": seed,
        "steps": options.steps,
        "auroc": image,
        "pixel_auroc": pixel,
        "aupro_0.30": overlap,
        "p_h": harmonic_mean(image, overlap),
        "seconds": seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def blended(
    variant: Variant, options: argparse.Namespace, category: str, paths: list[Path], seed: int
) -> dict[str, Any]:
    """What the kind of defect is given; a generator learns from the same good images as RealNet."""
    if variant.kind == "textures":
        return {"textures": read_textures(options.data / "dtd_textures", seed)}
    if variant.kind != "sdas":
        return {}
    folder = options.generators / category
    generator = Generator(steps=options.generator_steps, seed=seed)
    ensure_trained(ImageCache(paths, 64), folder, generator, fingerprint(paths))
    return {"pictures": load_or_sample(folder, PICTURES, variant.strength, seed)}


def report(table: Path) -> None:
    """Print means over categories and seeds, and P_h by category, as a Markdown table for each number of steps."""
    whole = pd.read_csv(table)
    categories = list(dict.fromkeys(whole["category"]))
    for steps, rows in whole.groupby("steps"):
        print(f"\n| variant | AU-ROC | pixel AU-ROC | AU-PRO | P_h | {' | '.join(categories)} | seconds | peak MiB |")
        print(f"|---|---|---|---|---|{'---|' * len(categories)}---|---|")
        for name, group in rows.groupby("variant", sort=False):
            shown = [f"{100 * group[figure].mean():.1f}" for figure in ("auroc", "pixel_auroc", "aupro_0.30", "p_h")]
            each = [f"{100 * group[group['category'] == one]['p_h'].mean():.1f}" for one in categories]
            costs = [f"{group['seconds'].mean():.0f}", f"{group['peak_mib'].max():.0f}"]
            print(f"| {name} | {' | '.join([*shown, *each, *costs])} |")
        print(f"\nSteps: {steps}; seeds: {sorted(set(rows['seed']))}")


if __name__ == "__main__":
    main()
