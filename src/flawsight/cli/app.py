"""The commands: each takes its settings, calls, and says what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any

import typer

from flawsight.cli.ending import BAD_INPUT, INCOMPLETE, complain, print_json, run
from flawsight.cli.layers import listed, show_layers
from flawsight.cli.options import command
from flawsight.cli.station import show_diagnosis
from flawsight.cli.study import study
from flawsight.cli.terminal import (
    mind,
    say,
    show_bench,
    show_check,
    show_exported,
    show_figures,
    show_fit,
    show_products,
    show_synthesized,
)
from flawsight.core import FlawsightError
from flawsight.settings import (
    BenchSettings,
    CheckSettings,
    DemoSettings,
    DoctorSettings,
    EvaluateSettings,
    ExportSettings,
    FitAllSettings,
    FitSettings,
    InspectSettings,
    LayersSettings,
    ServeSettings,
    StudySettings,
    SynthesizeSettings,
)

app = typer.Typer(
    help="A folder of good pictures becomes a visual inspector.", no_args_is_help=True, pretty_exceptions_enable=False
)


def main() -> None:
    """Run the command line; bad input exits with 2 and one clear message, an interrupt with 130.

    >>> import contextlib, sys
    >>> sys.argv = ["flawsight", "--version"]
    >>> with contextlib.suppress(SystemExit):
    ...     main()
    flawsight ...
    """
    run(app)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"flawsight {version('flawsight')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A folder of good pictures becomes a visual inspector."""


def _print(as_json: bool, document: dict[str, Any], show: Callable[[], None]) -> None:
    if as_json:
        print_json(document)
    else:
        show()


def _skipped(skipped: Iterable[Any]) -> list[dict[str, str]]:
    return [{"path": str(one.path), "reason": one.reason} for one in skipped]


@command(app, FitSettings, "flawsight fit pictures/good --out inspector")
def fit(settings: FitSettings, as_json: bool) -> None:
    """Learn from good images: choose layers on synthetic defects, set the operating point, write a bundle."""
    from flawsight.pipeline import run_fit
    from flawsight.tracking import open_tracker

    out = settings.out
    if out is None:
        raise FlawsightError("--out is missing: name the folder for the bundle")
    with open_tracker(settings.track, out.resolve().parent) as tracker:
        result = run_fit(settings)
        tracker.note(out.resolve().name, out, sum(result.record.timings.values()))
    manifest = result.inspector.manifest
    pixels, notes = manifest.data.pixels, (*result.record.notes, *tracker.notes)
    summary = {
        "bundle": str(out),
        "report": str(out / "report.html"),
        "detectors": [member.detector.name for member in manifest.members],
        "untried": manifest.selection.untried if manifest.selection else 0,
        "view": manifest.view.text,
        "layers": [list(member.layers) for member in manifest.members],
        "threshold": manifest.operating_point.threshold,
        "false_alarm_rate": manifest.operating_point.rate,
        "pod": manifest.pod.model_dump(mode="json") if manifest.pod else None,
        "images": manifest.data.images,
        "parts": manifest.data.parts,
        "suspects": [one.model_dump(mode="json") for one in manifest.data.suspects],
        "pictures": pixels.text if pixels else None,
        "warnings": list(notes),
        "skipped": _skipped(result.record.skipped),
    }
    _print(as_json, summary, lambda: show_fit(manifest, out, notes))


@command(app, FitAllSettings, "flawsight fit-all plant --out bundles --workers 4")
def fit_all(settings: FitAllSettings, as_json: bool) -> None:
    """Fit a bundle for each of many products, with one page about all. A bad product does not stop the others."""
    from flawsight.fleet import run_fit_all

    out, result = settings.out, run_fit_all(settings)
    assert out is not None
    products = [{name: value for name, value in asdict(row).items() if name != "picture"} for row in result.rows]
    document = {"out": str(out), "products": products, "warnings": list(result.notes)}
    _print(as_json, document, lambda: show_products(result.rows, result.notes, out))
    for row in result.failed:
        complain(f"{row.name}: {row.error}")
    if result.failed:
        raise typer.Exit(INCOMPLETE)


@command(app, CheckSettings, "flawsight check pictures/good --out checked")
def check(settings: CheckSettings, as_json: bool) -> None:
    """Look at good pictures before anything is learned: copies, outliers, what is unreadable or left out."""
    from flawsight.health import check_folder
    from flawsight.report import write_check_page

    checked = check_folder(settings)
    page = None if settings.out is None else write_check_page(settings.out, checked, settings.good)
    document = {"page": None if page is None else str(page), **checked.report.to_dict()}
    _print(as_json, document, lambda: show_check(checked.report, page))
    if checked.report.has_errors:
        raise typer.Exit(BAD_INPUT)


@command(app, InspectSettings, "flawsight inspect inspector new_pictures --out results")
def inspect(settings: InspectSettings, as_json: bool) -> None:
    """Sort images into good and defective: results.csv and heat maps. A bad image does not stop the rest."""
    from flawsight.data import left_out
    from flawsight.inspection import drift_alarm, follow, inspect_to_folder, open_drift
    from flawsight.runtime import load

    out, found, alarm = settings.out, list[str](), None
    inspector = load(settings.bundle, settings.device, settings.backend, settings.threads)
    inspector = inspector.with_mm_per_pixel(settings.mm_per_pixel)
    if settings.drift is not None:
        alarm = open_drift(settings.drift, drift_alarm(inspector, settings.drift_rate, settings.most_defective))
    rows = inspect_to_folder(inspector, settings.images, out, settings.max_pixels, warn=found.append)
    if alarm is not None and settings.drift is not None:
        follow(alarm, rows)
        alarm.save(settings.drift)
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("good", "defective", "error")}
    found += left_out(rows.skipped)
    results, skipped = [row.to_dict() for row in rows], _skipped(rows.skipped)
    document = {
        "out": str(out),
        "backend": inspector.backend.name,
        **counts,
        "warnings": found,
        "results": results,
        "skipped": skipped,
        "drift": None if alarm is None else alarm.told(),
    }

    def show() -> None:
        say(
            f"{counts['good']} good, {counts['defective']} defective, {counts['error']} not readable.\n"
            f"Results: {out / 'results.csv'}\nHeat maps: {out / 'heatmaps'}\n"
            f"Where, and how large: {out / 'regions.json'}"
        )
        mind(found)

    _print(as_json, document, show)
    for row in rows:
        if row.verdict == "error":
            complain(row.reason)
    if alarm is not None and alarm.drift is not None:
        complain(f"drift: {alarm.drift.text}")
    if counts["error"]:
        raise typer.Exit(BAD_INPUT)


@command(app, EvaluateSettings, "flawsight evaluate inspector datasets/bottle --out figures")
def evaluate(settings: EvaluateSettings, as_json: bool) -> None:
    """Measure an inspector on labelled images: metrics.json."""
    from flawsight.data import open_dataset
    from flawsight.inspection.evaluation import evaluate_to_folder
    from flawsight.runtime import load

    samples = open_dataset(settings.dataset, settings.layout, settings.category, settings.good_class)
    inspector = load(settings.bundle, settings.device, settings.backend, settings.threads)
    figures, path = evaluate_to_folder(inspector, samples, settings)
    _print(as_json, figures, lambda: show_figures(figures, path))


@command(app, ExportSettings, "flawsight export inspector --out for_the_line")
def export(settings: ExportSettings, as_json: bool) -> None:
    """Make the graph by which a bundle runs without torch, and prove that it says the same."""
    from flawsight.export import export_bundle

    exported = export_bundle(settings.bundle, settings.format, settings.precision, settings.out, settings.good)
    out = settings.out or settings.bundle
    document = {"bundle": str(out), **exported.runtime.model_dump(mode="json", exclude={"calibration_scores"})}
    _print(as_json, document, lambda: show_exported(exported.runtime, out))


@command(app, BenchSettings, "flawsight bench inspector --batch 1,8 --threads 1,2")
def bench(settings: BenchSettings, as_json: bool) -> None:
    """Measure how fast a bundle is on this machine, and whether it gives torch's scores and verdicts here."""
    from flawsight.runtime import run_bench

    report = run_bench(settings)
    _print(as_json, {"bundle": str(settings.bundle), **asdict(report)}, lambda: show_bench(report))


@command(app, DoctorSettings, "flawsight doctor inspector --history /var/lib/flawsight/history.db")
def doctor(settings: DoctorSettings, as_json: bool) -> None:
    """Check a machine before a station runs on it: cores, memory, speed, clock, disk, permissions, a self-test."""
    from flawsight.station.doctor import run_doctor

    diagnosis = run_doctor(settings)
    document = {"bundle": str(settings.bundle), **diagnosis.to_dict()}
    _print(as_json, document, lambda: show_diagnosis(diagnosis))
    if diagnosis.has_failed:
        raise typer.Exit(BAD_INPUT)


@command(app, ServeSettings, "flawsight serve inspector --watch camera --csv verdicts.csv")
def serve(settings: ServeSettings, as_json: bool) -> None:
    """Run an inspection station: a service for other programs, a page for people, and folders that are watched."""
    from flawsight.station.serve import run_serve

    def ready(address: str) -> None:
        _print(as_json, {"address": address}, lambda: say(f"Station: {address}"))
        sys.stdout.flush()  # whoever started it through a pipe waits for this

    run_serve(settings, ready)


@command(app, LayersSettings, "flawsight layers torchvision:resnet18")
def layers(settings: LayersSettings, as_json: bool) -> None:
    """List the layers of a network, in network order. Weights are fetched only to measure receptive fields."""
    rows, notes = listed(settings)
    document = {"extractor": settings.extractor, "layers": rows, "warnings": notes}
    _print(as_json, document, lambda: show_layers(rows, notes))


@command(app, SynthesizeSettings, "flawsight synthesize pictures/good --defects nsa --out synthetic")
def synthesize(settings: SynthesizeSettings, as_json: bool) -> None:
    """Write a data set of synthetic defects with masks, in the layout of MVTec AD, to look at or to test with."""
    from flawsight.pipeline import run_synthesize

    written = run_synthesize(settings)
    _print(as_json, written, lambda: show_synthesized(written, settings.out))


command(app, StudySettings, "flawsight study a-table-1 mvtec_ad --out tables --workers 4")(study)


@command(app, DemoSettings, "flawsight demo --out flawsight-demo")
def demo(settings: DemoSettings, as_json: bool) -> None:
    """Real solar cells: learn from good ones, find the defective ones, and say honestly how well."""
    from flawsight.cli.demo import run_demo

    figures = run_demo(settings.out)
    document = {key: value for key, value in figures.items() if key != "text"}
    _print(as_json, document, lambda: print("\n".join(figures["text"])))


if __name__ == "__main__":
    main()
