"""The command line: parses, calls, prints."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Column, Table

from flawsight.errors import FlawsightError
from flawsight.options import bytes_of, config_defaults, parameters_of

BAD_INPUT = 2
INTERRUPTED = 130
MAX_PIXELS = 100_000_000

app = typer.Typer(
    help="A folder of good pictures becomes a visual inspector.", no_args_is_help=True, pretty_exceptions_enable=False
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to; made if absent.")]
Device = Annotated[str, typer.Option(help="auto, cpu, or cuda.")]
Seed = Annotated[int, typer.Option(min=0, help="Everything random flows from this number.")]
Layout = Annotated[str, typer.Option(help="How the data set is laid out; auto recognises it from the folder.")]
Category = Annotated[str | None, typer.Option(help="Which category of a data set that holds several.")]
GoodClass = Annotated[str | None, typer.Option(help="For class folders: the class that is good.")]
MaxPixels = Annotated[int, typer.Option(min=64, help="Refuse images with more pixels than this.")]
MaxMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory that the search may take, such as 4G; default: 2 GiB or less."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is already there.")]


class _Interrupted(BaseException):
    """Ctrl-C, under a name that Typer does not turn into exit code 1."""


def _interrupt(*_: object) -> None:
    raise _Interrupted


def main() -> None:
    """Run the command line; bad input exits with 2 and one clear message, an interrupt with 130."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except FlawsightError as error:
        _fail(str(error), BAD_INPUT)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("flawsight"):
            raise
        extra = "demo" if error.name == "elpv_dataset" else "fit"
        _fail(f"this command needs the package '{error.name}': pip install 'flawsight[{extra}]'", BAD_INPUT)
    except _Interrupted:
        _fail("interrupted; a search goes on where it stopped when the same command is given again", INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    print(f"flawsight: {message}", file=sys.stderr)
    sys.exit(code)


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
        print(json.dumps(document, indent=2))
    else:
        show()


def _console() -> Console:
    """Where people read: text is taken literally, for a path may hold brackets, and a pipe has no right margin."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 500)


def _say(text: str, style: str | None = None) -> None:
    _console().print(text, style=style, soft_wrap=True)


def _table(*names: str) -> Table:
    return Table(*(Column(name, overflow="fold") for name in names))


def _example(command: str) -> str:
    return f"Example:  {command}"


@app.command(epilog=_example("flawsight fit pictures/good --out inspector"))
def fit(
    good_dir: Annotated[Path, typer.Argument(help="Folder of good images, or a data set with train/good.")],
    out: Annotated[Path, typer.Option(help="Folder for the bundle; made if absent.")],
    extractor: Annotated[
        str, typer.Option(help="A network of timm or torchvision; the default needs no download.")
    ] = "tf_efficientnet_lite0",
    weights: Annotated[str | None, typer.Option(help="A .safetensors or .pth file for the network.")] = None,
    image_size: Annotated[int, typer.Option(min=32, help="Images are resized to this square.")] = 256,
    detector: Annotated[
        str, typer.Option(help="The method; several, such as patchcore,gaussian, are compared on every layer.")
    ] = "patchcore",
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the method, such as simplenet.epochs=40; repeatable."),
    ] = None,
    defects: Annotated[str, typer.Option(help="auto, or kinds such as nsa,cutpaste,simple.")] = "auto",
    layers: Annotated[str, typer.Option(help="all, or globs such as 'blocks.2.*,blocks.4.*'.")] = "all",
    search: Annotated[str, typer.Option(help="auto, or exhaustive (paper A's procedure).")] = "auto",
    fuse: Annotated[int, typer.Option(min=1, help="Combine at most so many depths; 1: the best layer alone.")] = 3,
    false_alarm_rate: Annotated[float, typer.Option(help="Share of good parts that may be stopped.")] = 0.01,
    seed: Seed = 0,
    device: Device = "auto",
    layout: Layout = "auto",
    category: Category = None,
    good_class: GoodClass = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    max_memory: MaxMemory = None,
    budget: Annotated[
        float | None, typer.Option(metavar="MINUTES", help="Time that the search may take; default: what it needs.")
    ] = None,
    augment: Annotated[
        int, typer.Option(min=0, metavar="COPIES", help="Learn from so many changed copies of each image; 0: as it is.")
    ] = 0,
    safe: Annotated[
        str,
        typer.Option(help="Changes that leave a good part good: also flip,rotate90,shift,rotate if your part allows."),
    ] = "blur,contrast,colour,noise",
    overwrite: Overwrite = False,
    as_json: Json = False,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with these options.", is_eager=True, callback=config_defaults),
    ] = None,
) -> None:
    """Learn from good images: choose layers on synthetic defects, set the working point, write a bundle."""
    from flawsight.inspection import fit as run_fit
    from flawsight.report import write_report

    inspector = run_fit(
        good_dir,
        out=out,
        extractor=extractor,
        weights=weights,
        image_size=image_size,
        detector=detector,
        detector_parameters=parameters_of(parameter or []),
        defects=defects,
        layers=layers,
        search=search,
        fuse=fuse,
        false_alarm_rate=false_alarm_rate,
        seed=seed,
        device=device,
        layout=layout,
        category=category,
        good_class=good_class,
        max_pixels=max_pixels,
        max_memory=None if max_memory is None else bytes_of(max_memory),
        budget=budget,
        augment=augment,
        safe=[group.strip() for group in safe.split(",")],
        overwrite=overwrite,
    )
    report = write_report(inspector, out)
    summary = {
        "bundle": str(out),
        "report": str(report) if report else None,
        "detectors": [member.detector.name for member in inspector.manifest.members],
        "untried": inspector.manifest.selection.untried if inspector.manifest.selection else 0,
        "layers": [list(layers) for layers in inspector.layers],
        "threshold": inspector.threshold,
        "false_alarm_rate": inspector.manifest.working_point.rate,
        "images": inspector.manifest.data.images,
    }
    _print(as_json, summary, lambda: _show_fit(inspector, out, report))


def _show_fit(inspector: Any, out: Path, report: Path | None) -> None:
    manifest = inspector.manifest
    point = manifest.working_point
    _say(f"Learned from {manifest.data.images} good images.", "bold")
    _say("Reads: " + ", ".join(f"{'+'.join(one.layers)} ({one.detector.name})" for one in manifest.members))
    if manifest.selection and manifest.selection.untried:
        left_out = f"{manifest.selection.untried} candidates were not tried, or not in full"
        _say(f"{left_out}, for want of time: see --budget.", "yellow")
    if not any(member.detector.localises for member in inspector.members):
        _say("This method scores whole images: its heat maps do not show where.", "yellow")
    _say(f"Working point: score > {point.threshold:.3f}, at most {point.rate:.2%} of good parts stopped.")
    if point.rate > point.requested_rate:
        _say(
            f"{manifest.data.images} good images cannot support {point.requested_rate:.2%}: that takes "
            f"{point.needed_images}. The rate above is the lowest these images support.",
            "yellow",
        )
    _say(f"Bundle: {out}\nReport: {report or 'none, for there was no search'}")
    _say(f"Next:   flawsight inspect {out} NEW_IMAGES --out results")


@app.command(epilog=_example("flawsight inspect inspector new_pictures --out results"))
def inspect(
    bundle: Annotated[Path, typer.Argument(help="Folder that `fit` wrote.")],
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    out: Out,
    device: Device = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: Json = False,
) -> None:
    """Sort images into good and defective: results.csv and heat maps. A bad image does not stop the rest."""
    from flawsight.inspection import load
    from flawsight.report import inspect_to_folder

    rows = inspect_to_folder(load(bundle, device), images, out, max_pixels)
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("good", "defective", "error")}
    document = {"out": str(out), **counts, "results": [asdict(row) for row in rows]}

    def show() -> None:
        _say(
            f"{counts['good']} good, {counts['defective']} defective, {counts['error']} not readable.\n"
            f"Results: {out / 'results.csv'}\nHeat maps: {out / 'heatmaps'}"
        )

    _print(as_json, document, show)
    for row in rows:
        if row.verdict == "error":
            print(f"flawsight: {row.reason}", file=sys.stderr)
    if counts["error"]:
        raise typer.Exit(BAD_INPUT)


@app.command(epilog=_example("flawsight evaluate inspector datasets/bottle --out figures"))
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder that `fit` wrote.")],
    dataset: Annotated[Path, typer.Argument(help="A labelled data set.")],
    out: Out,
    resolution: Annotated[str, typer.Option(help="native (each image's own size), or N for N x N.")] = "native",
    layout: Layout = "auto",
    category: Category = None,
    good_class: GoodClass = None,
    device: Device = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: Json = False,
) -> None:
    """Measure an inspector on labelled images: metrics.json."""
    from flawsight.data import open_dataset
    from flawsight.inspection import load
    from flawsight.inspection.bundle import writable_folder
    from flawsight.inspection.evaluation import Resolution, test_samples
    from flawsight.inspection.evaluation import evaluate as run_evaluate
    from flawsight.progress import default_progress

    if resolution != "native" and not (resolution.isdecimal() and 1 <= int(resolution) <= 8192):
        raise FlawsightError(f"resolution '{resolution}' is neither 'native' nor a number of pixels from 1 to 8192")
    samples = open_dataset(dataset, layout, category, good_class)
    inspector = load(bundle, device)
    writable_folder(out)
    with default_progress().stage("Inspecting", len(test_samples(samples))) as advance:
        size: Resolution = "native" if resolution == "native" else int(resolution)
        figures = run_evaluate(inspector, samples, size, max_pixels, advance)
    (out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _print(as_json, figures, lambda: _show_figures(figures, out / "metrics.json"))


FIGURES = ("auroc", "pixel_auroc", "aupro_0.30", "aupro_0.05", "p_h", "false_alarm_rate", "detection_rate", "f1_max")


def _show_figures(figures: dict[str, Any], path: Path) -> None:
    table = _table("kind", "images", *FIGURES)
    for kind, values in {"all": figures, **figures["kinds"]}.items():
        cells = ["-" if values[name] is None else f"{values[name]:.3f}" for name in FIGURES]
        table.add_row(kind, str(values["images"]), *cells)
    _console().print(table)
    _say(f"Figures: {path}")


@app.command(epilog=_example("flawsight layers torchvision:resnet18"))
def layers(
    extractor: Annotated[str, typer.Argument(help="A network of timm or torchvision.")] = "tf_efficientnet_lite0",
    image_size: Annotated[int, typer.Option(min=32)] = 256,
    as_json: Json = False,
) -> None:
    """List the layers of a network, in network order. Weights are not needed and not fetched."""
    from flawsight.features import Extractor

    found = Extractor(extractor, weights="random", image_size=image_size, device="cpu").layers

    def show() -> None:
        table = _table("#", "layer", "kind", "block", "channels", "map", "stride", "same as")
        for layer in found:
            size = f"{layer.height} x {layer.width}"
            cells = (layer.name, layer.kind, layer.block, str(layer.channels), size, f"{layer.stride:g}")
            table.add_row(str(layer.order), *cells, layer.same_as)
        _console().print(table)

    _print(as_json, {"extractor": extractor, "layers": [asdict(layer) for layer in found]}, show)


@app.command(epilog=_example("flawsight synthesize pictures/good --defects nsa --out synthetic"))
def synthesize(
    good_dir: Annotated[Path, typer.Argument(help="Folder of good images, or a data set with train/good.")],
    out: Out,
    defects: Annotated[str, typer.Option(help="Kinds, such as nsa,cutpaste,simple.")] = "nsa",
    seed: Seed = 0,
    layout: Layout = "auto",
    category: Category = None,
    texture: Annotated[
        bool | None, typer.Option("--texture/--object", help="Say what the product is, instead of the estimate.")
    ] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a data set of synthetic defects with masks, in the layout of MVTec AD, to look at or to test with."""
    from flawsight.inspection.synthesis import synthesize_dataset

    written = synthesize_dataset(
        good_dir, out, defects, seed, layout, category, texture=texture, max_pixels=max_pixels, overwrite=overwrite
    )

    def show() -> None:
        for kind, count in written["kinds"].items():
            _say(f"{count} images with '{kind}' defects: {out / 'test' / kind}")
        _say(f"Masks: {out / 'ground_truth'}")

    _print(as_json, written, show)


@app.command(epilog=_example("flawsight demo --out flawsight-demo"))
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything the demo writes.")] = Path("flawsight-demo"),
    as_json: Json = False,
) -> None:
    """Real solar cells: learn from good ones, find the defective ones, and say honestly how well."""
    from flawsight.demo import run_demo

    figures = run_demo(out)

    def show() -> None:
        print("\n".join(figures["text"]))

    _print(as_json, {key: value for key, value in figures.items() if key != "text"}, show)


if __name__ == "__main__":
    main()
