"""Options of a fit that searches nothing."""

import pytest


@pytest.fixture(scope="session")
def fixed_options(fit_options: dict) -> dict[str, object]:
    """Those of `fit_options` that make sense where layers are not chosen."""
    return {name: value for name, value in fit_options.items() if name != "layers"}
