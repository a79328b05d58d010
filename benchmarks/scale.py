"""Many products by several workers: how much faster, with the same bundles, through kills, within memory.

    python -m benchmarks scale efficiency --data DATA --work WORK    2 workers of one core against 1, local Ray cluster
    python -m benchmarks scale kills --data DATA --work WORK         10 workers killed at random: the same bundles
    python -m benchmarks scale queue --data DATA --work WORK         20 products for 2 workers: the memory of each
    python -m benchmarks scale warm --data DATA --work WORK          what a warm start saves, and what it costs
    python -m benchmarks scale parts --data DATA --work WORK         what is loaded, batches, kept trials, the page
    python -m benchmarks scale paper                                 the simulation for up to 10,000 products

DATA holds the eight products below. Figures go to docs/studies/scale.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks._timeline import Costs, simulate

PRODUCTS = {
    **{
        name: name
        for name in (
            "cookie", "kolektorsdd_tiles", "magnetic_tile", "paper_pa_bft01_tl", "paper_pa_btn01_rl",
            "paper_pa_fvn01_tl", "paper_pa_gla01_tl",
        )
    },
    "banded": "dtd_textures/banded",
}  # fmt: skip
"""Folders of the data by the names that the products are given."""
SMALL = [name for name in PRODUCTS if name not in ("kolektorsdd_tiles", "magnetic_tile")]
OUT = Path("docs/studies/scale.json")
TO_MIND = "2 pictures are nearly the same as another of them (normal-1.jpg = normal-2.jpg): keep the best of each"
LEAST_BETWEEN = 9.0
"""Seconds between two kills, on average: a product that five workers died of is given up."""
ONE_CORE = {"OMP_NUM_THREADS": "1"}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("scale-work"))
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--engines", nargs="+", default=["ray", "processes"])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.part != "paper" and (options.data is None or not options.data.is_dir()):
        parser.error("give --data DATA, a folder with the eight products")
    found = PARTS[options.part](options)
    kept = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(
        json.dumps({**kept, options.part: {**kept.get(options.part, {}), **found}}, indent=1, sort_keys=True) + "\n"
    )
    print(json.dumps(found, indent=1))


def plant(options: argparse.Namespace, copies: int = 1, names: Sequence[str] = tuple(PRODUCTS)) -> Path:
    """A folder of products: links to the data, or several of each."""
    folder = options.work / f"plant-{copies}-{len(names)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in names:
        for copy in range(copies):
            (folder / (f"{name}-{copy}" if copies > 1 else name)).symlink_to((options.data / PRODUCTS[name]).resolve())
    return folder


def command(options: argparse.Namespace, products: Path, out: Path, *more: str) -> list[str]:
    program = [
        sys.executable,
        "-c",
        "from flawsight.cli import main; main()",
        "fit-all",
        str(products),
        "--out",
        str(out),
        "--json",
    ]
    return [*program, "--image-size", str(options.image_size), "--seed", str(options.seed), *more]


def run(options: argparse.Namespace, products: Path, out: Path, *more: str, env: dict[str, str] | None = None) -> float:
    """Seconds of the whole command."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    done = subprocess.run(
        command(options, products, out, *more),
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"fit-all failed ({done.returncode}): {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return time.perf_counter() - start


def signature(out: Path) -> dict[str, Any]:
    """Of each bundle the hashes of its tensors, its layers, threshold and calibration."""
    found = {}
    for path in sorted(out.glob("*/inspector.json")):
        manifest = json.loads(path.read_text())
        tensors = {name: digest for name, digest in manifest["files"].items() if name.endswith("safetensors")}
        layers = [member["layers"] for member in manifest["members"]]
        found[path.parent.name] = [tensors, layers, manifest["operating_point"], manifest["calibration"]["scores"]]
    return found


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def efficiency(options: argparse.Namespace) -> dict[str, Any]:
    """Each worker has one core; processes beside Ray, in the same run."""
    products, found, made = plant(options), dict[str, Any](), {}
    for engine in options.engines:
        seconds = {}
        for workers in (1, 2):
            out = options.work / f"{engine}-{workers}"
            asked = ["--workers", str(workers), *(["--ray", "local"] if engine == "ray" else [])]
            seconds[workers] = run(options, products, out, *asked, env=ONE_CORE)
            made[engine, workers] = signature(out)
            print(engine, workers, f"{seconds[workers]:.1f} s", file=sys.stderr)
        units = [float(row["seconds"]) for row in rows(options.work / f"{engine}-1")]
        contended = [float(row["seconds"]) for row in rows(options.work / f"{engine}-2")]
        costs = Costs(**overhead(engine == "ray"))
        predicted = {workers: simulate(units, workers, costs).seconds for workers in (1, 2)}
        found[engine] = {
            "seconds": seconds,
            "efficiency": seconds[1] / (2 * seconds[2]),
            "units": [round(one, 2) for one in units],
            "units_beside_another": [round(one, 2) for one in contended],
            "costs": asdict(costs) | {"storage": None},
            "predicted": predicted,
            "predicted_over_measured": {workers: predicted[workers] / seconds[workers] for workers in (1, 2)},
        }
    found["same_bundles"] = all(one == made[options.engines[0], 1] for one in made.values())
    if {"ray", "processes"} <= set(options.engines):
        by_ray, beside = found["ray"]["seconds"], found["processes"]["seconds"]
        found["ray_over_processes"] = {workers: by_ray[workers] / beside[workers] for workers in (1, 2)}
    return found


def overhead(is_ray: bool) -> dict[str, float]:
    """Seconds of a cluster's start, a worker's start, and an empty item, on one core."""
    program = """
import json, sys, time
from benchmarks.scale import Nothing
from flawsight.executors import open_executor
if __name__ == "__main__":
    import flawsight.fleet
    begun = time.perf_counter()
    with open_executor(1, "local" if sys.argv[1] == "True" else None) as executor:
        opened = time.perf_counter()
        list(executor.map(Nothing(), range(1)))
        first = time.perf_counter()
        list(executor.map(Nothing(), range(200)))
        items = (time.perf_counter() - first) / 200
        closing = time.perf_counter()
    print(json.dumps({"opening": opened - begun, "start": first - opened, "hand_out": items,
                      "end": time.perf_counter() - closing}))
"""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, str(is_ray)],
        env={**os.environ, **ONE_CORE},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - start
    found = json.loads(done.stdout.splitlines()[-1])
    inside = found["opening"] + found["start"] + 200 * found["hand_out"] + found["end"]
    return {
        "begin": whole - inside + found["opening"], "start": found["start"], "hand_out": found["hand_out"],
        "end": found["end"],
    }  # fmt: skip


class Nothing:
    """A job that loads what a fit loads, and does nothing."""

    def __call__(self, number: int) -> int:
        import flawsight.pipeline  # noqa: F401

        return number


def kills(options: argparse.Namespace) -> dict[str, Any]:
    """Workers killed at random moments, by both engines; then the bundles against those of an undisturbed run."""
    products, found = plant(options, names=SMALL), dict[str, Any]()
    seconds = run(options, products, options.work / "undisturbed", "--workers", "2", env=ONE_CORE)
    whole = signature(options.work / "undisturbed")
    for engine in options.engines:
        out, draw = options.work / f"killed-{engine}", random.Random(options.seed)
        shutil.rmtree(out, ignore_errors=True)
        asked = ["--workers", "2", *(["--ray", "local"] if engine == "ray" else [])]
        process = subprocess.Popen(
            command(options, products, out, *asked), env={**os.environ, **ONE_CORE}, stdout=subprocess.PIPE, text=True
        )
        moments, begun = [], time.monotonic()
        while process.poll() is None and len(moments) < options.kills:
            time.sleep(draw.uniform(0.5, 1.5) * max(LEAST_BETWEEN, seconds / options.kills))
            workers = busy_workers(process.pid)
            if workers:
                os.kill(draw.choice(workers), signal.SIGKILL)
                moments.append(round(time.monotonic() - begun, 1))
        output, _ = process.communicate()
        statuses = [row["status"] for row in json.loads(output)["products"]]
        found[engine] = {
            "kills_at_s": moments,
            "exit": process.returncode,
            "statuses": sorted(set(statuses)),
            "same_bundles": signature(out) == whole,
            "products": len(statuses),
            "seconds": time.monotonic() - begun,
        }
    return {**found, "undisturbed_s": seconds}


def busy_workers(driver: int) -> list[int]:
    """Processes that fit: children of spawn, or Ray's actors."""
    found = []
    for child in psutil.Process(driver).children(recursive=True):
        try:
            line = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if "spawn_main" in line or line.startswith("ray::_Working"):
            found.append(child.pid)
    return found


def queue(options: argparse.Namespace) -> dict[str, Any]:
    """Twenty small products for two workers: the most memory that each had taken by the end of each product."""
    products, out = plant(options, 4, [name for name in SMALL if name != "banded"]), options.work / "queue"
    seconds = run(options, products, out, "--workers", "2", "--max-memory", "2G", env=ONE_CORE)
    peaks = [float(row["peak_mib"]) for row in rows(out)]
    return {
        "products": len(peaks),
        "plan_mib": 2e9 / (1 << 20),
        "most_mib": max(peaks),
        "least_mib": min(peaks),
        "seconds": seconds,
    }


def warm(options: argparse.Namespace) -> dict[str, Any]:
    """Each product by a fit in full and after a warm start: seconds, and P_h on its real defects."""
    products, found, seconds = plant(options), dict[str, Any](), {}
    for way in ("cold", "warm"):
        out = options.work / way
        seconds[way] = run(
            options, products, out, "--workers", "2", *(["--warm-start"] if way == "warm" else []), env=ONE_CORE
        )
        for row in rows(out):
            figures = evaluated(out / row["name"], options.data / PRODUCTS[row["name"]], options.work / "figures")
            first = json.loads((out / row["name"] / "inspector.json").read_text())["settings"].get("first")
            found.setdefault(row["name"], {})[way] = {
                "seconds": float(row["seconds"]), "p_h_synthetic": float(row["p_h"]), "p_h_real": figures,
                "layers": row["layers"], "is_warm": bool(first),
            }  # fmt: skip
    return {"products": found, "seconds": seconds}


def evaluated(bundle: Path, dataset: Path, out: Path) -> float | None:
    program = [
        sys.executable,
        "-m",
        "flawsight.cli.app",
        "evaluate",
        str(bundle),
        str(dataset),
        "--out",
        str(out),
        "--json",
    ]
    done = subprocess.run([*program, "--resolution", "256"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout).get("p_h") if not done.returncode else None


def paper(options: argparse.Namespace) -> dict[str, Any]:
    """The simulation with the units and costs that `efficiency` measured, and two ways to use a shared drive.

    A product reads 20 MB of pictures and writes a bundle of 20 MB; trials that are kept on the drive are 36 MB more.
    The drive gives and takes 110 MB a second, as a network of 1 Gbit/s does.
    """
    measured, found = json.loads(OUT.read_text())["efficiency"]["ray"], {}
    draw = random.Random(options.seed)
    drawn = {products: [draw.choice(measured["units"]) for _ in range(products)] for products in (400, 10_000)}
    for way, read in (("trials on the drive", 76e6), ("trials on the worker's disk", 40e6)):
        costs = Costs(**{**measured["costs"], "storage": 110e6, "read": read})
        for products, units in drawn.items():
            for workers in (1, 10, 100, 1000):
                found[f"{way}, {products} products, {workers} workers"] = asdict(simulate(units, workers, costs))
    return found


def parts(options: argparse.Namespace) -> dict[str, Any]:
    """On one core, in a process of its own: what sharing saves or would save, and what the driver and a drive get."""
    program = "import json, sys; from benchmarks.scale import *; print(json.dumps(measured_parts(*sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(options.data), str(options.work)],
        env={**os.environ, **ONE_CORE}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def measured_parts(data: str, work: str) -> dict[str, Any]:
    start = time.perf_counter()
    import flawsight.fleet  # noqa: F401
    from flawsight.features import Extractor

    found: dict[str, Any] = {"imports_s": time.perf_counter() - start}
    start = time.perf_counter()
    network = Extractor(image_size=256, device="cpu")
    found["network_s"] = time.perf_counter() - start
    start = time.perf_counter()
    found["layers"] = len(network.layers)
    found["catalogue_s"] = time.perf_counter() - start
    found["pictures_a_second_by_batch"] = {size: rate(network, size) for size in (1, 2, 4, 8, 16, 32)}
    found |= kept_bytes(Path(data) / "kolektorsdd_tiles", Path(work) / "bytes") | page_seconds(Path(work) / "page")
    return found


def rate(network: Any, size: int) -> float:
    """Pictures a second through the network to three usual layers, the best of three."""
    pictures = [np.random.default_rng(seed).integers(0, 255, (256, 256, 3)).astype(np.uint8) for seed in range(32)]
    layers, best = ["blocks.1.1.add", "blocks.2.1.add", "blocks.4.2.add"], float("inf")
    for _ in range(4):  # the first one traces
        start = time.perf_counter()
        for first in range(0, len(pictures), size):
            network.extract(pictures[first : first + size], layers)
        best = min(best, time.perf_counter() - start)
    return len(pictures) / best


def kept_bytes(good: Path, out: Path) -> dict[str, float]:
    """Megabytes that a fit writes, and that its bundle has in the end."""
    import flawsight as fs

    shutil.rmtree(out, ignore_errors=True)
    before = psutil.Process().io_counters().write_chars
    fs.run_fit(fs.FitSettings(good=good, out=out, image_size=128))
    written = psutil.Process().io_counters().write_chars - before
    bundle = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {"written_mb": written / 1e6, "bundle_mb": bundle / 1e6}


def page_seconds(out: Path) -> dict[str, float]:
    """Seconds to write the page and the table about so many products."""
    from flawsight.fleet import ProductRow
    from flawsight.fleet.index import write_index
    from flawsight.fleet.row import write_summary

    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for count in (400, 10_000):
        many = [
            ProductRow(f"p{k}", "fitted", 140, 0.6 + k % 4 / 10, 6.0, 20, 36, 5.0, 0.01, warnings=(TO_MIND,) * 2)
            for k in range(count)
        ]
        start = time.perf_counter()
        write_summary(out, many)
        write_index(out, many, count)
        found[f"page_of_{count}_s"] = time.perf_counter() - start
    return found


PARTS = {"efficiency": efficiency, "kills": kills, "queue": queue, "warm": warm, "parts": parts, "paper": paper}

if __name__ == "__main__":
    main(sys.argv[1:])
