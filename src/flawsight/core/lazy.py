"""Names of a module that are loaded when they are asked for, and names that were replaced."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

GONE_IN = "0.3"


def lazy_names(
    module: str, where: Mapping[str, str] | None = None, renamed: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """A module's `__getattr__`: `where` says which module holds a name; an old name of `renamed` gives the new one's.

    The latter with a DeprecationWarning.

    >>> __getattr__ = lazy_names("my_package", {"Counter": "collections"})
    >>> __getattr__("Counter")  # as my_package.Counter does
    <class 'collections.Counter'>
    """
    homes, olds = where or {}, renamed or {}

    def get(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        if name in olds:
            warn_renamed(f"{module}.{name}", olds[name])
            return getattr(importlib.import_module(module), olds[name])
        raise AttributeError(f"module '{module}' has no attribute '{name}'")

    return get


def warn_renamed(old: str, new: str) -> None:
    """Say that a name was replaced.

    >>> import warnings
    >>> with warnings.catch_warnings(action="error"):
    ...     warn_renamed("my_package.old", "new")
    Traceback (most recent call last):
        ...
    DeprecationWarning: 'my_package.old' is now called 'new'; the old name will be gone in ...
    """
    text = f"'{old}' is now called '{new}'; the old name will be gone in {GONE_IN}"
    warnings.warn(text, DeprecationWarning, stacklevel=3)
