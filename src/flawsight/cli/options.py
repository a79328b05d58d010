"""A command from its settings: every field becomes an argument or an option, with its help, default and bounds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer
from annotated_types import Ge
from pydantic.fields import FieldInfo

from flawsight.settings import Options, flag_of, read_config
from flawsight.settings.base import RENAMED, STILL_SAID

Settings = TypeVar("Settings", bound=Options)
SIMPLE = (bool, int, float, str, Path)


def command(
    app: typer.Typer, settings: type[Settings], example: str
) -> Callable[[Callable[[Settings, bool], None]], Callable[[Settings, bool], None]]:
    """Register `action(settings, as_json)` as the command of its name, with one option for each field of `settings`.

    What is given on the command line goes before `--config`, and that before the defaults.
    """

    def register(action: Callable[[Settings, bool], None]) -> Callable[[Settings, bool], None]:
        def run(context: typer.Context, as_json: bool, config: Path | None, **values: Any) -> None:
            given = {name: value for name, value in values.items() if _is_given(context, name)}
            options = read_config(config, settings, given) if config else given
            action(settings.of(options), as_json)

        run.__name__, run.__doc__ = action.__name__.rstrip("_"), action.__doc__
        run.__signature__ = inspect.Signature(_parameters(settings))  # type: ignore[attr-defined]
        app.command(epilog=f"Example:  {example}")(run)
        return action

    return register


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _parameters(settings: type[Options]) -> list[inspect.Parameter]:
    """Arguments first, options as they are declared, then those that every command has."""
    fields = sorted(settings.model_fields.items(), key=lambda one: (not _extra(one[1]).get("argument"), _rank(*one)))
    found = [_parameter("context", typer.Context, inspect.Parameter.empty)]
    for name, field in fields:
        found.append(_field(name, field))
    for old, new in RENAMED.items():
        if new in settings.model_fields and old not in STILL_SAID:
            found.append(_parameter(old, Annotated[str | None, typer.Option(flag_of(old), hidden=True)], None))
    as_json = typer.Option("--json", help="Print one JSON document for machines.")
    config = typer.Option("--config", help="YAML file with these options, or the inspector.json of a bundle.")
    return [
        *found,
        _parameter("as_json", Annotated[bool, as_json], False),
        _parameter("config", Annotated[Path | None, config], None),
    ]


def _rank(name: str, field: FieldInfo) -> int:
    return 0 if name == "out" else 1


def _field(name: str, field: FieldInfo) -> inspect.Parameter:
    """One field as Typer sees it; whatever is no plain type is read as text, which pydantic then parses."""
    extra = _extra(field)
    is_required = field.is_required() or extra.get("is_required")
    kind = str if extra.get("is_text") else _plain(field.annotation)
    if extra.get("repeatable"):
        kind = list[str]
    show: dict[str, Any] = {"help": field.description}
    least = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    if least is not None and kind in (int, float):
        show["min"] = least
    if extra.get("metavar"):
        show["metavar"] = extra["metavar"]
    if extra.get("argument"):
        several = get_origin(_first(field.annotation)) is tuple
        kind = list[Path] if several else kind
        return _parameter(
            name, Annotated[kind | None, typer.Argument(show_default=not is_required, **show)], _shown(field)
        )
    flags = (extra.get("flags") or flag_of(name),)
    if is_required:
        show |= {"show_default": "required"}
    return _parameter(
        name, Annotated[kind if kind is bool else kind | None, typer.Option(*flags, **show)], _shown(field)
    )


def _shown(field: FieldInfo) -> Any:
    """The default as the help shows it."""
    default = None if field.is_required() else field.default
    if default == ():
        return None
    if default is None or isinstance(default, SIMPLE):
        return default
    if isinstance(default, tuple) and default:
        return ":".join(map(str, default)) if isinstance(default[0], float) else ", ".join(map(str, default))
    return None


def _plain(annotation: Any) -> Any:
    """The type that Typer parses: the field's own where it is simple, else text."""
    first = _first(annotation)
    return first if first in SIMPLE else str


def _first(annotation: Any) -> Any:
    """The first type of a union, without what annotates it."""
    if get_origin(annotation) is Annotated:
        return _first(get_args(annotation)[0])
    if isinstance(annotation, UnionType):
        return _first(get_args(annotation)[0])
    return annotation


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
