"""Are defects of 6 to 12 pixels found on 12 megapixels, and at what cost? Tiles against the square of 256.

    python -m benchmarks large_pictures --data DATA --work WORK --out large_pictures.jsonl

For each texture a data set is made in WORK (about 2.5 s a picture; kept for the next run), and each arm is fitted
in one process of its own and examined in another, so that each has a peak of its own, to be below 3 GiB. P_h is of the
test pictures, with AU-PRO of maps and masks at half the pictures' size, for memory. POD is the share of defects that a
region meets at the operating point. Seconds per megapixel are told beside those of the network alone, in turn: the
same layers of the same network on as many squares. Finished units are kept in --out: run it again to go on.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import flawsight as fs
from benchmarks._large import CONTRASTS, SIZE, Counts, large_pictures
from benchmarks._measure import alternate, in_child, machine, peak_mib, versions
from benchmarks.image_sizes import ARMS, SMALL, Units, chosen, options_text
from benchmarks.regions import Hits, found_in, hits
from flawsight.data import Sample, learn_masks, open_dataset, read_image
from flawsight.inspection import Inspector
from flawsight.metrics import PixelTruth, auroc, harmonic_mean

TEXTURES = (
    "banded/banded_0066",
    "chequered/chequered_0053",
    "crosshatched/crosshatched_0082",
    "crosshatched/crosshatched_0091",
)
BINS = ((6, 8), (8, 10), (10, 12))
LIMIT_MIB = 3 * 1024
MEMORY = ("fit_peak_mib", "inspect_peak_mib")
QUICK_SIZE = (768, 1024)


def fitted(good: str, out: str, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    imported, start = peak_mib(), time.perf_counter()
    inspector = fs.fit(good, out, seed=seed, device="cpu", overwrite=True, **options)
    return {"fit_s": time.perf_counter() - start, "chosen": chosen(inspector), "imported_mib": imported}


def examined(bundle: str, folder: str, repeat: int) -> dict[str, Any]:
    """Cost first, for its peak; then what is found in all test pictures."""
    inspector = fs.load(bundle, backend="torch")
    samples = [sample for sample in open_dataset(folder).select(split="test") if sample.label is not None]
    costs = cost(inspector, read_image(samples[0].path), repeat)
    peak = peak_mib()
    return {**costs, "inspect_peak_mib": peak, **quality(inspector, samples, Path(folder))}


def cost(inspector: Inspector, image: np.ndarray, repeat: int) -> dict[str, Any]:
    """Seconds per megapixel of a whole inspection and of the network alone on the same squares, timed in turn."""
    backend: Any = inspector.backend
    network = backend.extractor.truncated(list(inspector.manifest.network_layers))
    with seen_batches() as shapes:
        inspector.inspect(image)
    batches = {shape: torch.rand(shape).contiguous(memory_format=torch.channels_last) for shape in set(shapes)}

    def alone() -> None:
        with torch.inference_mode():
            for shape in shapes:
                network(batches[shape])

    timed = alternate({"inspect": partial(inspector.inspect, image), "network": alone}, repeat)
    megapixels = image.shape[0] * image.shape[1] / 1e6
    whole, pure = (timed[name].median / megapixels for name in ("inspect", "network"))
    return {
        "squares": sum(shape[0] for shape in shapes),
        "square": list(shapes[0][2:]),
        "inspect_s_per_mp": whole,
        "network_s_per_mp": pure,
        "seconds": {name: one.seconds for name, one in timed.items()},
    }


@contextmanager
def seen_batches() -> Iterator[list[tuple[int, ...]]]:
    """The shapes of the batches that meet a network's first convolution, of the three colours."""
    shapes = list[tuple[int, ...]]()

    def note(module: torch.nn.Module, given: tuple[Any, ...]) -> None:
        if isinstance(module, torch.nn.Conv2d) and module.in_channels == 3:
            shapes.append(tuple(given[0].shape))

    handle = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield shapes
    finally:
        handle.remove()


def quality(inspector: Inspector, samples: Sequence[Sample], folder: Path) -> dict[str, Any]:
    """P_h, what becomes of every defect of defects.csv, and false alarms."""
    truth, threshold, defects = learn_masks(samples), inspector.pixel_threshold, defects_of(folder)
    labels, scores, verdicts, maps, masks = [], [], [], [], []
    pods, counted = list[tuple[float, str, bool]](), list[Hits]()
    for sample in samples:
        image = read_image(sample.path)
        result, mask = inspector.inspect(image), truth.of(sample, image.shape[:2])
        found, boxes = found_in(result, threshold)
        counted.append(hits(found, boxes, mask))
        pods += [] if mask is None else met(defects.get(sample.path.stem, ()), found & (mask > 0))
        labels.append(int(sample.label == 1))
        scores.append(result.score)
        verdicts.append(result.is_defective)
        half = (image.shape[1] // 2, image.shape[0] // 2)
        maps.append(cv2.resize(result.anomaly_map, half, interpolation=cv2.INTER_AREA))
        shown = None if mask is None else (mask > 0).astype(np.float32)
        masks.append(None if shown is None else cv2.resize(shown, half, interpolation=cv2.INTER_AREA) > 0)
    good = [index for index, label in enumerate(labels) if not label]
    area, overlap = auroc(scores, labels), PixelTruth(masks).aupro(maps)
    return {
        "auroc": area,
        "aupro_0.30": overlap,
        "p_h": harmonic_mean(area, overlap),
        "pod": pods,
        "test_good": len(good),
        "false_alarms": sum(verdicts[index] for index in good),
        "false_regions_of_good": sum(counted[index].false for index in good),
        "false_regions": sum(one.false for one in counted),
        "test": len(samples),
    }


def met(defects: Sequence[dict[str, str]], both: np.ndarray) -> Iterator[tuple[float, str, bool]]:
    """Size, kind, and whether it was hit, of each defect of a picture: `both` is where it was found and is true."""
    for row in defects:
        left, top, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
        yield float(row["size"]), row["kind"], bool(both[top : top + height, left : left + width].any())


def defects_of(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of defects.csv by picture."""
    found: dict[str, list[dict[str, str]]] = {}
    with (folder / "defects.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["picture"], []).append(row)
    return found


def made(options: argparse.Namespace, texture: str, counts: Counts, size: tuple[int, int]) -> Path:
    """The data set of these settings, made where it is not yet."""
    low, high = options.contrast
    drawn = f"{texture.rpartition('/')[2]}_{size[0]}x{size[1]}_{'_'.join(map(str, counts))}"
    folder: Path = options.work.resolve() / f"{drawn}_contrast{low:g}-{high:g}_seed{options.seed}"
    if not (folder / "defects.csv").exists():
        start = time.perf_counter()
        large_pictures(options.data, folder, texture, counts, options.seed, size, (low, high))
        print(f"{folder.name}: {sum(counts)} pictures made in {time.perf_counter() - start:.0f} s", flush=True)
    return folder


def measured(folder: Path, bundle: Path, seed: int, given: dict[str, Any], repeat: int) -> dict[str, Any]:
    fit = in_child(fitted, good=str(folder / "train" / "good"), out=str(bundle.resolve()), seed=seed, options=given)
    rest = in_child(examined, bundle=str(bundle.resolve()), folder=str(folder), repeat=repeat)
    rest.pop("peak_mib")  # that of the maps of all test pictures, for AU-PRO
    return {**rest, **fit, "fit_peak_mib": fit["peak_mib"]}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures of each texture and arm."""
    pod = [f"POD {low}-{high} px" for low, high in BINS]
    head = ("texture", "arm", "AU-ROC", "AU-PRO", "P_h", *pod, "false alarms", "false regions")
    costs = ("fit s", "fit MiB", "inspect MiB", "s/MP", "network s/MP", "ratio", "squares", "chosen")
    lines = [f"| {' | '.join((*head, *costs))} |", "|---" * (len(head) + len(costs)) + "|"]
    for row in rows:
        quality = [f"{100 * row[name]:.1f}" for name in ("auroc", "aupro_0.30", "p_h")]
        alarms = (f"{row['false_alarms']} of {row['test_good']}", f"{row['false_regions_of_good']} on good")
        memory = [f"{row[name]:.0f}{'' if row[name] < LIMIT_MIB else ' (!)'}" for name in MEMORY]
        seconds = (row["inspect_s_per_mp"], row["network_s_per_mp"])
        speed = (*(f"{one:.4f}" for one in seconds), f"{seconds[0] / seconds[1]:.2f}")
        squares = f"{row['squares']} of {row['square'][0]} x {row['square'][1]}"
        cells = (row["texture"], row["arm"], *quality, *pods_of(row["pod"]), *alarms, f"{row['fit_s']:.0f}")
        lines.append(f"| {' | '.join((*cells, *memory, *speed, squares, row['chosen']))} |")
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        together = [pod for row in own for pod in row["pod"]]
        kinds = {kind: [hit for _, of, hit in together if of == kind] for kind in sorted({one[1] for one in together})}
        said = ", ".join(f"{kind} {sum(found)} of {len(found)}" for kind, found in kinds.items())
        mean = 100 * statistics.fmean(row["p_h"] for row in own)
        lines.append(f"\n{arm}: mean P_h {mean:.1f}; POD {', '.join(pods_of(together))} by size; by kind: {said}")
    return "\n".join(lines)


def pods_of(pods: Sequence[Sequence[Any]]) -> list[str]:
    """Defects hit of those in each bin of sizes; the largest size is in the last bin."""
    bins = [[hit for size, _, hit in pods if low <= size < high + (high == BINS[-1][1])] for low, high in BINS]
    return [f"{sum(found)} of {len(found)}" for found in bins]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    size, counts = (QUICK_SIZE, Counts(10, 2, 4)) if options.quick else (SIZE, Counts(*options.counts))
    units, rows = Units(options.out), list[dict[str, Any]]()
    for texture in options.textures:
        folder = made(options, texture, counts, size)
        for arm in options.arms:
            given = ARMS[arm] | (SMALL if options.quick else {})
            unit = {"texture": texture, "arm": arm, "options": given, "seed": options.seed}
            unit |= {"size": size, "counts": counts, "repeat": options.repeat, "contrast": options.contrast}
            bundle = options.work / "bundles" / f"{folder.name}_{arm}"
            call = partial(measured, folder, bundle, options.seed, given, options.repeat)
            found = units.get(unit, call)
            if found is None:
                continue
            rows.append({**unit, **found})
            print(f"{texture}, {arm}: P_h {100 * rows[-1]['p_h']:.1f}, {rows[-1]['chosen']}", flush=True)
    print(f"\n{machine()}\n{versions()}\nseed {options.seed}; pictures of {size[0]} x {size[1]}: {counts}")
    print(f"defects of {options.contrast[0]:g} to {options.contrast[1]:g} local sigmas")
    print(options_text(ARMS, options))
    print(f"limit of memory: {LIMIT_MIB} MiB in the fit and in the inspection; (!) marks what is above\n")
    print(table(rows))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks large_pictures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for data sets (8 MB a picture) and bundles")
    parser.add_argument("--out", type=Path, help="JSON lines of finished units; default: none are kept")
    parser.add_argument("--textures", nargs="+", default=TEXTURES, help="CLASS or CLASS/NAME of DATA/dtd_textures")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["squash", "tiles"])
    parser.add_argument("--counts", type=int, nargs=3, default=(16, 12, 16), metavar=("TRAIN", "GOOD", "DEFECTIVE"))
    parser.add_argument("--repeat", type=int, default=3, help="times that inspection and network are timed, in turn")
    parser.add_argument("--contrast", type=float, nargs=2, default=CONTRASTS, help="of defects, in local sigmas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="small pictures, few of them, few layers")
    return parser.parse_args(arguments)
