"""Effective receptive fields of all layers of a network, and what they depend on.

python -m benchmarks.receptive_fields PICTURES --out docs/studies

PICTURES is a folder of good pictures of one product, of which 20 are drawn. Prints a table of the network's levels, and
the four layers that are spread evenly; receptive_fields.csv has a row for each layer that repeats no other.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from flawsight.core import default_progress
from flawsight.data import find_images
from flawsight.features import (
    DEFAULT_EXTRACTOR,
    RANDOM_WEIGHTS,
    Extractor,
    effective_receptive_fields,
    levels,
    select_layers,
)
from flawsight.views import ImageCache

SETTINGS = {
    "noise, 256": (256, None, False),
    "pictures, 256": (256, None, True),
    "random weights, noise, 256": (256, RANDOM_WEIGHTS, False),
    "noise, 128": (128, None, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--extractor", default=DEFAULT_EXTRACTOR)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    options = parser.parse_args()
    found, four = {}, {}
    for name, (side, weights, on_pictures) in SETTINGS.items():
        network = Extractor(options.extractor, weights, side)
        images = ImageCache(find_images(options.pictures), side) if on_pictures else None
        found[name] = effective_receptive_fields(network, images, progress=default_progress())
        four[name] = [layer.name for layer in select_layers(network.layers, "evenly:4", found[name])]
    print("| layer |", " | ".join(SETTINGS), "|")
    print("|---" * (1 + len(SETTINGS)) + "|")
    for layer in levels(network.layers):
        fields = [found[name][layer] for name in SETTINGS]
        print(f"| `{layer}` |", " | ".join(f"{one.relative:.2f} ({one.pixels:.0f} px)" for one in fields), "|")
    for name, layers in four.items():
        print(f"{name}: {', '.join(f'{layer} {found[name][layer].relative:.2f}' for layer in layers)}")
    with (options.out / "receptive_fields.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["layer", "block", "kind", "order", "stride", *SETTINGS])
        for layer in network.layers:
            if not layer.same_as:
                relative = [f"{found[name][layer.name].relative:.4f}" for name in SETTINGS]
                table.writerow([layer.name, layer.block, layer.kind, layer.order, f"{layer.stride:g}", *relative])


if __name__ == "__main__":
    main()
