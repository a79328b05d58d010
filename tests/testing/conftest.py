"""A sound detector, and a way to spoil one of its methods."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from flawsight.detectors import Detector
from flawsight.testing import detector_checks


def failing_checks(detector: Detector) -> list[str]:
    found = []
    for name, check in detector_checks(detector):
        try:
            check()
        except AssertionError as error:
            assert str(error).startswith(f"{name}: ") and len(str(error)) > len(name) + 2
            found.append(name)
    return found


@pytest.fixture(scope="session")
def failing() -> Callable[[Detector], list[str]]:
    """The names of the checks that a detector fails; each says which it is, and why."""
    return failing_checks


@pytest.fixture(scope="session")
def flawed(channel_distance: type[Detector]) -> Callable[..., Detector]:
    """A ChannelDistance with other methods, each `(the usual method, self, ...)`, and other tags."""

    def spoil(wrapper: Callable, name: str) -> Callable:
        usual = getattr(channel_distance, name, lambda self: None)

        def method(self: Detector, *args: Any) -> Any:
            return wrapper(partial(usual, self), self, *args)

        return method

    def made(tags: dict[str, Any] | None = None, **methods: Callable) -> Detector:
        body: dict[str, Any] = {name: spoil(wrapper, name) for name, wrapper in methods.items()}
        if tags:
            body["tags"] = property(lambda self: replace(super(kind, self).tags, **tags))
        kind = type("Flawed", (channel_distance,), body)
        return kind()

    return made
