"""Registry: things by name, loaded when they are asked for; other packages add theirs by entry points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from flawsight.core.errors import FlawsightError, unknown

Value = TypeVar("Value")


class UnknownName(FlawsightError, KeyError):
    """No such name in a registry; a KeyError too, so that `get` and `pop` may be given a default."""

    __str__ = FlawsightError.__str__


class Registry(MutableMapping[str, Value], Generic[Value]):
    """What is known under a name: `what` it is, ours as "module:attribute", and the entry points of `group`.

    Nothing is imported before it is asked for. An unknown name raises FlawsightError with the nearest ones. A name of
    ours or one set here goes before another package's.
    """

    def __init__(self, what: str, group: str, ours: Mapping[str, str]) -> None:
        self.what = what
        self.group = group
        self._ours = {name: EntryPoint(name, value, group) for name, value in ours.items()}
        self._loaded: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        """What is known under this name."""
        if name not in self._loaded:
            if name not in self._points:
                raise UnknownName(str(unknown(self.what, name, self)))
            self._loaded[name] = self._load(self._points[name])
        return self._loaded[name]

    def __setitem__(self, name: str, value: Value) -> None:
        self._loaded[name] = value

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._ours, *self._points, *self._loaded]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in self._points

    def name_of(self, value: object) -> str | None:
        """The name under which this very thing is known, or None."""
        module = f"{getattr(value, '__module__', '')}."
        near = [name for name, point in self._points.items() if module.startswith(f"{point.module}.")]
        return next((name for name in [*self._loaded, *near] if self[name] is value), None)

    def provider(self, name: str) -> str:
        """The package, and its version, that a name comes from; empty for what was set by hand."""
        point = self._points.get(name)
        if point is None or name in self._ours:
            return "flawsight" if name in self._ours else ""
        return f"{point.dist.name} {point.dist.version}" if point.dist else ""

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)} | self._ours

    def _load(self, point: EntryPoint) -> Any:
        if point.name in self._ours:
            return point.load()
        try:
            return point.load()
        except Exception as error:
            package = point.dist.name if point.dist else point.module
            raise FlawsightError(
                f"the {self.what} '{point.name}' of the package '{package}' cannot be loaded "
                f"({type(error).__name__}: {error}): reinstall or remove that package"
            ) from error
