"""What the commands say to people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table


def console() -> Console:
    """Where people read: text is taken literally, for a path may hold brackets, and a pipe has no right margin."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 500)


def say(text: str, style: str | None = None) -> None:
    """Print a line, however long."""
    console().print(text, style=style, soft_wrap=True)


def columns(*names: str) -> Table:
    """An empty table with these columns."""
    return Table(*(Column(name, overflow="fold") for name in names))


def show_fit(inspector: Any, out: Path, report: Path) -> None:
    """What was learned, what to mind, and what to do next."""
    manifest = inspector.manifest
    point = manifest.working_point
    say(f"Learned from {manifest.data.images} good images.", "bold")
    say("Reads: " + ", ".join(f"{'+'.join(one.layers)} ({one.detector.name})" for one in manifest.members))
    if manifest.selection and manifest.selection.untried:
        left_out = f"{manifest.selection.untried} candidates were not tried, or not in full"
        say(f"{left_out}, for want of time: see --budget.", "yellow")
    generator = inspector.fitting.generator
    if generator and generator.concern:
        say(f"Mind: {generator.concern}.", "yellow")
        if "sdas" not in inspector.fitting.kinds:
            say("Instead of its pictures, other textures show through the defects (perlin).", "yellow")
    if not any(member.detector.localises for member in inspector.members):
        say("This method scores whole images: its heat maps do not show where.", "yellow")
    say(f"Working point: score > {point.threshold:.3f}, at most {point.rate:.2%} of good parts stopped.")
    if point.rate > point.requested_rate:
        say(
            f"{manifest.data.images} good images cannot support {point.requested_rate:.2%}: that takes "
            f"{point.needed_images}. The rate above is the lowest these images support.",
            "yellow",
        )
    say(f"Bundle: {out}\nReport: {report}")
    say(f"Next:   flawsight inspect {out} NEW_IMAGES --out results")


FIGURES = ("auroc", "pixel_auroc", "aupro_0.30", "aupro_0.05", "p_h", "false_alarm_rate", "detection_rate", "f1_max")


def show_figures(figures: dict[str, Any], path: Path) -> None:
    """The figures of an evaluation, kind by kind."""
    table = columns("kind", "images", *FIGURES)
    for kind, values in {"all": figures, **figures["kinds"]}.items():
        cells = ["-" if values[name] is None else f"{values[name]:.3f}" for name in FIGURES]
        table.add_row(kind, str(values["images"]), *cells)
    console().print(table)
    say(f"Figures: {path}")
