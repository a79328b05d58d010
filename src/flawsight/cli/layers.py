"""The verb `layers`: the rows of a network's catalogue, and the table that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flawsight.cli.terminal import columns, console, mind
from flawsight.core import FlawsightError, default_progress
from flawsight.settings import LayersSettings


def listed(settings: LayersSettings) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each layer, with its receptive field where that is asked for; and what was read of a weights file."""
    from flawsight.data import find_images
    from flawsight.features import RANDOM_WEIGHTS, Extractor, effective_receptive_fields
    from flawsight.views import ImageCache

    measures = settings.receptive_field
    if settings.good and not measures:
        raise FlawsightError("--good has no effect here: nothing is measured; add --receptive-field, or leave it out")
    images = ImageCache(find_images(settings.good), settings.image_size) if settings.good else None
    weights = settings.weights or (None if measures else RANDOM_WEIGHTS)
    device = settings.device if measures else "cpu"
    network = Extractor(settings.extractor, weights, settings.image_size, device, seed=settings.seed)
    rows = [asdict(layer) for layer in network.layers]
    how: dict[str, Any] = {"seed": settings.seed, "progress": default_progress()}
    fields = effective_receptive_fields(network, images, **how) if measures else {}
    for row in rows if measures else ():
        field = fields[row["name"]]
        row |= {"receptive_field": field.pixels, "relative_receptive_field": field.relative}
    return rows, [network.network.remark] if network.network.remark else []


def show_layers(rows: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> None:
    """A line for each, and the notes."""
    measured = "receptive_field" in rows[0]
    more = ("receptive field", "relative") if measured else ()
    table = columns("#", "layer", "kind", "block", "channels", "map", "stride", *more, "same as")
    for row in rows:
        size = f"{row['height']} x {row['width']}"
        cells = [str(row["order"]), row["name"], row["kind"], row["block"], str(row["channels"]), size]
        cells.append(f"{row['stride']:g}")
        if measured:
            cells += [f"{row['receptive_field']:.1f} px", f"{row['relative_receptive_field']:.3f}"]
        table.add_row(*cells, row["same_as"])
    console().print(table)
    mind(notes)
