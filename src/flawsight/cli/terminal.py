"""What the commands say to people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

from flawsight.bundle import Manifest, RuntimeModel
from flawsight.core import readable

if TYPE_CHECKING:
    from flawsight.fleet import ProductRow
    from flawsight.health import HealthReport, Severity
    from flawsight.runtime import BenchReport


def console() -> Console:
    """Where people read: text is taken literally, for a path may hold brackets, and a pipe has no right margin."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 500)


def say(text: str, style: str | None = None) -> None:
    """Print a line, however long."""
    console().print(readable(text), style=style, soft_wrap=True)


def mind(concerns: Sequence[str]) -> None:
    """What to mind, a line each."""
    for concern in concerns:
        say(f"Mind: {concern}.", "yellow")


def columns(*names: str) -> Table:
    """An empty table with these columns."""
    return Table(*(Column(name, overflow="fold") for name in names))


def show_fit(manifest: Manifest, out: Path, concerns: Sequence[str]) -> None:
    """What was learned, what to mind, and what to do next."""
    from flawsight.defects import SIZED
    from flawsight.report.trust.found import in_words

    point = manifest.operating_point
    say(f"Learned from {manifest.data.images} good images{_of_parts(manifest)}.", "bold")
    read = (f"{'+'.join(layers)} ({members[0].detector.name})" for layers, members in manifest.readings.items())
    say("Reads: " + ", ".join(read))
    if manifest.view.kind != "squash" or manifest.region:
        say(f"Sees: {manifest.view.text}{', within the region of interest' if manifest.region else ''}")
    if manifest.selection and manifest.selection.untried:
        left_out = f"{manifest.selection.untried} candidates were not tried, or not in full"
        say(f"{left_out}, for want of time: see --budget.", "yellow")
    if manifest.data.pixels and not manifest.data.pixels.is_plain:
        say(f"Pictures: {manifest.data.pixels.text}")
    mind(concerns)
    if not any(member.detector.localizes for member in manifest.members):
        say("This method scores whole images: its heat maps do not show where.", "yellow")
    say(f"Operating point: score > {point.threshold:.3f}, at most {point.rate:.2%} of good parts stopped.")
    if not point.is_supported:
        say(
            f"{point.calibration_size} different parts cannot support {point.requested_rate:.2%}: that takes "
            f"{point.needed_images}. The rate above is the lowest they support.",
            "yellow",
        )
    for one in manifest.pod.kinds if manifest.pod else ():
        kind = SIZED[one.kind]
        say(in_words(one.curve, kind.title.lower(), kind.measured, manifest.mm_per_pixel))
    say(f"Bundle: {out}\nReport: {out / 'report.html'}")
    say(f"Next:   flawsight inspect {out} NEW_IMAGES --out results")


def _of_parts(manifest: Manifest) -> str:
    """How many different parts they show, which is what the stated rate rests on."""
    images, parts = manifest.data.images, manifest.data.parts
    return "" if parts in (None, images) else f" of {parts} different parts"


_COLOURS: dict[Severity, str | None] = {"error": "red", "warning": "yellow", "remark": None}


def show_check(report: HealthReport, page: Path | None) -> None:
    """What was found, the gravest first, with the files and what to do."""
    counts = [f"{number} {word}{'' if number == 1 else 's'}" for word in _COLOURS if (number := report.count(word))]
    say(f"Looked at {report.pictures} pictures: {', '.join(counts) or 'nothing to mind'}.", "bold")
    for one in report.findings:
        say(f"{one.severity.capitalize()}: {one.title}. {one.sentence}.", _COLOURS[one.severity])
    if report.has_errors:
        say("A fit refuses these pictures as they are.", "red")
    if page:
        say(f"Page: {page}")


FIGURES = ("auroc", "pixel_auroc", "aupro_0.30", "aupro_0.05", "p_h", "false_alarm_rate", "detection_rate", "f1_max")
AT_THRESHOLD = ("defects", "defects_hit", "hit_rate", "false_regions_per_image", "seg_f1", "auspro_0.05")


def show_figures(figures: dict[str, Any], path: Path) -> None:
    """The figures of an evaluation, kind by kind, and below what the pixel threshold finds, if there are masks."""
    parts: list[tuple[str, ...]] = [("images", *FIGURES)]
    parts += [("pixel_images", *AT_THRESHOLD)] if figures["pixel_images"] else []
    for names in parts:
        table = columns("kind", *names)
        for kind, values in {"all": figures, **figures["kinds"]}.items():
            table.add_row(readable(kind), *(_cell(values[name]) for name in names))
        console().print(table)
    say(f"Masks: {figures['masks']['rule']}")
    mind(figures["warnings"])
    say(f"Figures: {path}")


def _cell(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def show_exported(model: RuntimeModel, out: Path) -> None:
    """How the graph compares with torch."""
    for backend, parity in model.parity.items():
        say(
            f"{backend}: {parity.images} pictures compared with torch; scores differ by {parity.score_difference:.2g}, "
            f"maps by {parity.map_difference:.2g}, {parity.flips} verdicts."
        )
        if model.precision != "fp32" and parity.p_h is not None and parity.p_h_torch is not None:
            say(f"P_h on them: {100 * parity.p_h:.1f}, torch {100 * parity.p_h_torch:.1f}.")
    if model.operating_point is not None:
        point = model.operating_point
        say(f"Its own operating point: score > {point.threshold:.3f}, at most {point.rate:.2%} of good parts stopped.")
    say(f"Bundle: {out}\nGraph:  {out / model.file} ({model.precision})")


def show_bench(report: BenchReport) -> None:
    """How fast each backend is here, and whether it says what torch said."""
    names = ("backend", "threads", "batch", "ms a picture", "p95", "p99", "min", "pictures/s", "start-up s", "MiB")
    table = columns(*names, "scores off by", "other verdicts")
    for row in report.rows:
        times = [f"{value:.2f}" for value in (row.median_ms, row.p95_ms, row.p99_ms, row.min_ms)]
        memory = "-" if row.peak_mib is None else f"{row.peak_mib:.0f}"
        cells = (f"{row.pictures_per_second:.1f}", f"{row.startup_s:.2f}", memory, f"{row.score_difference:.1g}")
        place = (row.backend, str(row.threads or "all"), str(row.batch))
        table.add_row(*place, *times, *cells, f"{row.flips} of {report.samples}")
    console().print(table)
    side = report.image_size
    say(f"Pictures of {side} x {side} ({report.precision}), to map and score; scores and verdicts against torch's.")
    say(f"Apart from that, reading and resizing a PNG of that size: {report.decode_ms:.2f} ms.")
    others = {row.backend: f"{row.backend} gives other verdicts than torch" for row in report.rows if row.flips}
    mind([*others.values(), *(f"{name} was not measured: {reason}" for name, reason in report.failed.items())])


def show_products(rows: Sequence[ProductRow], notes: Sequence[str], out: Path) -> None:
    """A line for each product, and where its bundle and the page about all are."""
    table = columns("product", "", "good pictures", "P_h", "found from", "threshold", "to mind")
    for row in rows:
        figures = (
            "-" if row.p_h is None else f"{100 * row.p_h:.1f}",
            "-" if row.smallest is None else f"{row.smallest:.0f} px",
        )
        threshold = "-" if row.threshold is None else f"{row.threshold:.3f}"
        count = "-" if row.images is None else str(row.images)
        table.add_row(readable(row.name), row.status, count, *figures, threshold, str(len(row.warnings) or ""))
    console().print(table)
    mind(notes)
    say(f"Bundles: {out}\nPage:    {out / 'index.html'}\nTable:   {out / 'summary.csv'}")


def show_synthesized(written: dict[str, Any], out: Path) -> None:
    """What was made, and what to mind."""
    mind(written["warnings"])
    for kind, images in written["kinds"].items():
        say(f"{images} images with '{kind}' defects: {out / 'test' / kind}")
    say(f"Masks: {out / 'ground_truth'}\nWhere defects may lie: {written['foreground']}")
