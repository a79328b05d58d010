"""The options that several commands share, and what people write in options and config files, as values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ByteSize, TypeAdapter, ValidationError

from flawsight.errors import FlawsightError

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
Textures = Annotated[Path | None, typer.Option(help="perlin: folder of foreign textures.")]
Strength = Annotated[str, typer.Option(help="sdas: how anomalous; a number, or LOW:HIGH.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is already there.")]


def bytes_of(size: str) -> int:
    """`4G` or `1500M` as bytes."""
    try:
        return int(TypeAdapter(ByteSize).validate_python(size))
    except ValidationError as error:
        raise FlawsightError(f"--max-memory '{size}' is not a size: write it such as 4G or 1500M") from error


def parameters_of(given: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as a dict; values are read as in YAML: 40, 0.5, 1e-3, true, null, a word."""
    import yaml

    found: dict[str, Any] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise FlawsightError(f"--parameter '{text}': write it such as epochs=40 or simplenet.epochs=40")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise FlawsightError(f"--parameter '{text}': '{value}' is not a value") from error
        if isinstance(found[name.strip()], str):
            with suppress(ValueError):  # YAML 1.1 takes 1e-3 for a word
                found[name.strip()] = float(value)
    return found


def range_of(text: str, option: str) -> tuple[float, float]:
    """`0.1:0.2` as two numbers, one number as both."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise FlawsightError(f"{option} '{text}': write one number, or two such as 0.1:0.2")
    return numbers[0], numbers[-1]


def foreground_of(text: str) -> str | tuple[float, float]:
    """`auto`, `all`, or `20:15` as the background's brightness and threshold."""
    return range_of(text, "--foreground") if ":" in text else text


def config_defaults(context: typer.Context, path: Path | None) -> Path | None:
    """Options from a YAML file become defaults; what the command line says goes before them."""
    if path is None:
        return None
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise FlawsightError(f"config file '{path}' cannot be read: {reason}") from error
    if not isinstance(settings, dict):
        raise FlawsightError(f"config file '{path}' must hold 'option: value' lines, such as 'image-size: 256'")
    options = {str(key).replace("-", "_"): value for key, value in settings.items()}
    known = {parameter.name for parameter in context.command.params} - {"config"}
    for name in options:
        if name not in known:
            raise FlawsightError(f"config file '{path}': unknown option '{name}'; known: {', '.join(sorted(known))}")
    repeatable = {parameter.name for parameter in context.command.params if getattr(parameter, "multiple", False)}
    defaults = {name: _default(value, name in repeatable) for name, value in options.items()}
    context.default_map = {**(context.default_map or {}), **defaults}
    return path


def _default(value: object, is_repeatable: bool) -> object:
    """A list is written with commas where an option takes one text, and one text is a list where it takes several."""
    if is_repeatable:
        return value if isinstance(value, list) else [value]
    return ",".join(map(str, value)) if isinstance(value, list) else value
