"""Options: a validated group of options whose errors say which option, what is wrong, and what to write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from flawsight.core import FlawsightError, unknown, warn_renamed

RENAMED = {"safe": "label_preserving", "detector_parameters": "parameter"}
"""Names that were replaced. `detector_parameters` is what Python says, where an option cannot be repeated."""
STILL_SAID = {"detector_parameters"}


def option(default: Any, text: str, **extra: Any) -> Any:
    """A field with its help; bounds go to pydantic, `metavar`, `flags`, `secret`, ... are for the command line."""
    bounds = {name: extra.pop(name) for name in ("ge", "gt", "le", "lt", "min_length") if name in extra}
    return Field(default, description=text, json_schema_extra=extra or None, **bounds)


class Options(BaseModel):
    """Frozen; unknown names are refused. A bad value raises FlawsightError, never pydantic's error.

    >>> class Crop(Options):
    ...     margin: int = 8
    >>> Crop.of({"margin": "4"}).margin
    4
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise _explained(type(self), error) from error

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """These options, validated."""
        return cls(**given)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, data: Any) -> Any:
        found: dict[str, Any] = {}
        for name, value in data.items() if isinstance(data, Mapping) else ():
            new = name if name in cls.model_fields else RENAMED.get(str(name), str(name))
            if new != name and name not in STILL_SAID:
                warn_renamed(name, new)
            found[new] = value
        return found if isinstance(data, Mapping) else data

    def slice(self, *groups: type[Options]) -> dict[str, Any]:
        """The options of these groups, by name: what a stage that takes them may depend on."""
        return {name: getattr(self, name) for group in groups for name in group.model_fields}

    def changed(self, *groups: type[Options]) -> list[str]:
        """The options of these groups whose values are not the defaults."""
        return [name for group in groups for name in group.model_fields if self.is_changed(name)]

    def is_changed(self, name: str) -> bool:
        """Whether an option's value is not the default."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    def dump(self, leave_out: set[str]) -> dict[str, Any]:
        """The options as plain JSON values, but those to be left out and those that name files or folders."""
        return self.model_dump(mode="json", exclude=leave_out | set(self.paths()))

    @classmethod
    def paths(cls) -> list[str]:
        """The options that name files or folders."""
        return [name for name, field in cls.model_fields.items() if Path in _types(field.annotation)]


def flag_of(name: str) -> str:
    """An option's name on the command line.

    >>> flag_of("image_size")
    '--image-size'
    """
    return f"--{name.replace('_', '-')}"


def _types(annotation: Any) -> set[Any]:
    inner = get_args(annotation[0] if isinstance(annotation, list) else annotation)
    return {annotation} if not inner else set().union(*(_types(one) for one in inner if one is not Ellipsis))


def _explained(options: type[Options], error: ValidationError) -> FlawsightError:
    errors = error.errors()
    # Of the ways in which an option may be written, the one that was understood furthest is the one that was meant.
    first = max((one for one in errors if one["loc"][:1] == errors[0]["loc"][:1]), key=lambda one: len(one["loc"]))
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return unknown("option", name.replace("_", "-"), [known.replace("_", "-") for known in options.model_fields])
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return FlawsightError(f"{flag_of(name)} is missing: {options.model_fields[name].description}")
    if not name:
        return FlawsightError(reason)
    help_text = options.model_fields[name].description if name in options.model_fields else ""
    return FlawsightError(f"{flag_of(name)} '{first['input']}': {reason[0].lower()}{reason[1:]} ({help_text})")


Text = Annotated[str, Field(min_length=1)]
