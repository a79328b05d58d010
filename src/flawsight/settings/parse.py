"""What people write in options and config files, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


def parameters_of(given: Any) -> Any:
    """`NAME=VALUE` texts as a dict; values are read as in YAML: 40, 0.5, 1e-3, true, null, a word."""
    if isinstance(given, Mapping) or given is None:
        return dict(given or {})
    if not isinstance(given, str | Sequence):
        raise ValueError("write NAME=VALUE, such as epochs=40")
    return dict(_pair(text) for text in ([given] if isinstance(given, str) else given))


def _pair(text: str) -> tuple[str, Any]:
    import yaml

    name, separator, value = str(text).partition("=")
    if not separator or not name.strip():
        raise ValueError(f"'{text}': write it such as epochs=40 or simplenet.epochs=40")
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"'{text}': '{value}' is not a value") from error
    if isinstance(found, str):
        with suppress(ValueError):  # YAML 1.1 takes 1e-3 for a word
            found = float(value)
    return name.strip(), found


def range_of(given: Any) -> Any:
    """`0.1:0.2` as two numbers, one number as both."""
    if isinstance(given, int | float):
        return float(given), float(given)
    if not isinstance(given, str):
        return given
    try:
        numbers = [float(part) for part in given.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ValueError("write one number, or two such as 0.1:0.2")
    return numbers[0], numbers[-1]


def milliseconds_of(given: Any) -> Any:
    """`15ms`, `0.02s` or a number of milliseconds."""
    if not isinstance(given, str):
        return given
    text = given.strip().lower()
    unit = 1.0 if text.endswith("ms") else 1000.0 if text.endswith("s") else 1.0
    try:
        return unit * float(text.removesuffix("ms").removesuffix("s"))
    except ValueError:
        raise ValueError("write it such as 15ms") from None


def length_of(given: Any) -> Any:
    """`8`, `8px` or `0.5mm` as a text with its unit."""
    text = str(given).strip().lower() if isinstance(given, str | int | float) else given
    if not isinstance(text, str):
        return text
    unit = "mm" if text.endswith("mm") else "px"
    try:
        number = float(text.removesuffix(unit))
    except ValueError:
        raise ValueError("write it such as 8px or 0.5mm") from None
    if not 0 < number < float("inf"):
        raise ValueError("it must be above 0")
    return f"{number:g}{unit}"


def foreground_of(given: Any) -> Any:
    """`auto`, `all`, or `20:15` as the background's brightness and threshold."""
    if isinstance(given, str) and given not in ("auto", "all"):
        try:
            return range_of(given) if ":" in given else range_of("")
        except ValueError:
            raise ValueError("neither auto, all nor BRIGHTNESS:THRESHOLD, such as 20:15") from None
    return given


def names_of(given: Any) -> Any:
    """`a,b` as a tuple of names."""
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    return tuple(given) if isinstance(given, Sequence) else given


def numbers_of(given: Any) -> Any:
    """`1,8` as a tuple of whole numbers, one number as a tuple of it."""
    if isinstance(given, int) and not isinstance(given, bool):
        return (given,)
    if not isinstance(given, str):
        return tuple(given) if isinstance(given, Sequence) else given
    try:
        return tuple(int(part) for part in given.split(","))
    except ValueError:
        raise ValueError("write whole numbers, such as 1,8") from None


def sizes_of(given: Any) -> Any:
    """`256` as a number, `256,384` as a tuple of numbers, `auto` as it is."""
    if isinstance(given, str) and given.strip() == "auto":
        return "auto"
    try:
        found = numbers_of(given)
    except ValueError:
        raise ValueError("write auto, a number, or several such as 256,384") from None
    return found[0] if isinstance(found, tuple) and len(found) == 1 else found


def joined_of(given: Any) -> Any:
    """A list of names, as a config file may hold, as the text `a,b`."""
    return ",".join(map(str, given)) if isinstance(given, list | tuple) else given


def members_of(given: Any) -> Any:
    """`a+b,c` as the layers of each member: (a, b) and (c,)."""
    if isinstance(given, str):
        return tuple(tuple(layer.strip() for layer in member.split("+")) for member in given.split(","))
    if given is None:
        return None
    if not isinstance(given, Sequence) or not all(isinstance(one, str | Sequence) for one in given):
        raise ValueError("write the layers of each member, such as a+b,c")
    return tuple((one,) if isinstance(one, str) else tuple(one) for one in given)


def watched_of(given: Any) -> Any:
    """`[BUNDLE=]DIR` texts as pairs of a bundle's name, empty where none is said, and a folder."""
    found = []
    for one in [given] if isinstance(given, str | Path) else given or ():
        if isinstance(one, str):
            name, separator, folder = one.partition("=")
            one = (name, folder) if separator else ("", one)  # noqa: PLW2901
        elif isinstance(one, Path):
            one = ("", one)  # noqa: PLW2901
        if not str(one[1]):
            raise ValueError("write a folder, or BUNDLE=FOLDER")
        found.append(tuple(one))
    return tuple(found)
