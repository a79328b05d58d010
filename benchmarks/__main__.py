"""Ratios of our time, memory and results to those of named peers, all measured in one run on the same data.

    python -m benchmarks [NAME ...] --data DATA --out docs/studies/speed.json

Prints a Markdown table and merges its rows into the JSON file as each is measured. DATA holds one folder for each
category in the MVTec AD layout. `growth` and `racing` go on where they stopped, unless --fresh is given. --quick runs
everything on small sizes, to see that it works: its ratios mean nothing, and it writes only where --out says.
These compare with nobody, and have options of their own, such as python -m benchmarks odd_inputs --help:
  odd_inputs      what becomes of every odd file that a command is given
  large_pictures  defects of 6 to 12 pixels on 12 megapixels: a square of 256 against tiles
  strips          strips of 4000 x 300 by tiles against the same strips cut into squares
  image_sizes     the input chosen by itself against a square of 256, on real products
  pod             do artificial defects of known size foretell which real ones are found?
  regions         real defects hit, and false regions, with a contact sheet
  drift           false alarms and delays of the alarm of drift, against charts that promise less
  scale           many products by several workers: efficiency, kills, memory, warm starts, a simulation
  groups          parts photographed five times: the stated rate and the achieved one
  few_pictures    one to sixteen good pictures, beside a fixed pair of layers and anomalib's PatchCore
  contamination   defects among the good pictures: what they cost, and what is found of them
  station         32 programs ask the station at once, against the bare runtime
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import (
    _anomalib,
    aupro,
    bank,
    contamination,
    drift,
    few_pictures,
    groups,
    growth,
    image_sizes,
    inference,
    large_pictures,
    memory,
    odd_inputs,
    pod,
    racing,
    regions,
    resume,
    scale,
    scoring,
    simplenet,
    station,
    strips,
    whole_fit,
)
from benchmarks._measure import Row, Run, Table, markdown

BENCHMARKS = {
    "bank": bank.run,
    "scoring": scoring.run,
    "aupro": aupro.run,
    "fit": whole_fit.run,
    "inference": inference.run,
    "memory": memory.run,
    "growth": growth.run,
    "racing": racing.run,
    "resume": resume.run,
    "simplenet": simplenet.run,
}
ALONE = {
    "few_pictures": few_pictures.main,
    "groups": groups.main,
    "contamination": contamination.main,
    "odd_inputs": odd_inputs.main,
    "large_pictures": large_pictures.main,
    "strips": strips.main,
    "image_sizes": image_sizes.main,
    "pod": pod.main,
    "regions": regions.main,
    "drift": drift.main,
    "scale": scale.main,
    "station": station.main,
}
"""What has no peer, and options of its own."""
WITHOUT_ANOMALIB = {"growth", "racing", "resume"}
NEED_DATA = {"fit", "inference", "racing", "simplenet"}
OUT = Path("docs/studies/speed.json")


def main() -> None:
    if sys.argv[1:] and sys.argv[1] in ALONE:
        ALONE[sys.argv[1]](sys.argv[2:])
        return
    options = parse()
    names = options.names or list(BENCHMARKS)
    complain(names, options.data)
    out = options.out or (None if options.quick else OUT)
    run = Run(
        data=options.data.resolve() if options.data else None,
        quick=options.quick,
        repeat=options.repeat,
        seed=options.seed,
        fresh=options.fresh,
        table=Table(out),
    )
    rows: list[Row] = []
    for name in names:
        for row in BENCHMARKS[name](run):
            stored = " (measured before)" if run.table.rows.get(row.key) is row else ""
            run.table.put(row)
            rows.append(row)
            figures = f"{row.ours:.4g} against {row.peer_figure:.4g} {row.unit}"
            print(f"{row.benchmark}: {row.what}, {row.peer}: {figures}{stored}", file=sys.stderr)
    print(markdown(rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default all: {', '.join(BENCHMARKS)}")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, help=f"default {OUT}")
    parser.add_argument("--repeat", type=int, default=1, help="times that bank, aupro and fit are measured, in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="measure again what growth and racing have stored")
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"unknown benchmark '{name}': use {', '.join(BENCHMARKS)}")
    return options


def complain(names: list[str], data: Path | None) -> None:
    """Exit with status 2 where something is missing that these benchmarks need."""
    if not _anomalib.installed() and not WITHOUT_ANOMALIB.issuperset(names):
        exit_with(f"anomalib is not installed, and these benchmarks compare with it: {_anomalib.PIP_LINE}")
    missing = sorted(NEED_DATA.intersection(names))
    if data is None and missing:
        exit_with(f"{', '.join(missing)} need real images: give --data DATA")
    if data is not None and not data.is_dir():
        exit_with(f"there is no folder '{data}': check --data")


def exit_with(message: str) -> None:
    print(message, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
