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

from flawsight.errors import FlawsightError
from flawsight.options import (
    Category,
    Device,
    GoodClass,
    Json,
    Layout,
    MaxMemory,
    MaxPixels,
    Out,
    Overwrite,
    Seed,
    Strength,
    Textures,
    bytes_of,
    config_defaults,
    foreground_of,
    parameters_of,
    range_of,
)
from flawsight.terminal import columns, console, say, show_figures, show_fit

BAD_INPUT = 2
INTERRUPTED = 130
MAX_PIXELS = 100_000_000

app = typer.Typer(
    help="A folder of good pictures becomes a visual inspector.", no_args_is_help=True, pretty_exceptions_enable=False
)


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
    textures: Textures = None,
    generator: Annotated[
        Path | None, typer.Option(help="sdas: folder of a generator; it is trained there if there is none.")
    ] = None,
    strength: Strength = "0.1:0.2",
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
        float | None,
        typer.Option(metavar="MINUTES", help="Time for the search, or for realnet's training; default: what it needs."),
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
        textures=textures,
        generator=generator,
        strength=range_of(strength, "--strength"),
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
        "report": str(report),
        "detectors": [member.detector.name for member in inspector.manifest.members],
        "untried": inspector.manifest.selection.untried if inspector.manifest.selection else 0,
        "layers": [list(layers) for layers in inspector.layers],
        "threshold": inspector.threshold,
        "false_alarm_rate": inspector.manifest.working_point.rate,
        "images": inspector.manifest.data.images,
    }
    _print(as_json, summary, lambda: show_fit(inspector, out, report))


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
        say(
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
    _print(as_json, figures, lambda: show_figures(figures, out / "metrics.json"))


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
        table = columns("#", "layer", "kind", "block", "channels", "map", "stride", "same as")
        for layer in found:
            size = f"{layer.height} x {layer.width}"
            cells = (layer.name, layer.kind, layer.block, str(layer.channels), size, f"{layer.stride:g}")
            table.add_row(str(layer.order), *cells, layer.same_as)
        console().print(table)

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
    foreground: Annotated[
        str, typer.Option(help="Where defects may lie: auto, all, or the background's BRIGHTNESS:THRESHOLD.")
    ] = "auto",
    textures: Textures = None,
    strength: Strength = "0.1:0.2",
    generator: Annotated[
        Path | None, typer.Option(help="sdas: folder of the generator, made and used again; default OUT/generator.")
    ] = None,
    generator_preset: Annotated[str, typer.Option(help="sdas: small, or paper (256 pixels, needs a GPU).")] = "small",
    generator_steps: Annotated[
        int | None, typer.Option(min=1, help="sdas: training steps; default: the preset's.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="So many defective images of each kind, not one for each good one.")
    ] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a data set of synthetic defects with masks, in the layout of MVTec AD, to look at or to test with."""
    from flawsight.inspection.synthesis import synthesize_dataset

    written = synthesize_dataset(
        good_dir,
        out,
        defects,
        seed,
        layout,
        category,
        texture=texture,
        foreground=foreground_of(foreground),
        textures=textures,
        strength=range_of(strength, "--strength"),
        generator=generator,
        generator_preset=generator_preset,
        generator_steps=generator_steps,
        count=count,
        max_pixels=max_pixels,
        overwrite=overwrite,
    )

    def show() -> None:
        for warning in written["warnings"]:
            say(f"Mind: {warning}.", "yellow")
        for kind, images in written["kinds"].items():
            say(f"{images} images with '{kind}' defects: {out / 'test' / kind}")
        say(f"Masks: {out / 'ground_truth'}\nWhere defects may lie: {written['foreground']}")

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
