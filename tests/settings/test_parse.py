"""What people write in options and config files, as values."""

import pytest

from flawsight.settings.parse import parameters_of


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a=40", "b=0.5", "c=true", "d=null", "e=word"], {"a": 40, "b": 0.5, "c": True, "d": None, "e": "word"}),
        (["f=a=b", "g= 3"], {"f": "a=b", "g": 3}),
        (["x.y=1e-3", "z=[1, 2]", "t=5E4"], {"x.y": 1e-3, "z": [1, 2], "t": 5e4}),
        (["a=1", "a=2"], {"a": 2}),
        ([], {}),
    ],
)
def test_values_of_parameters(given: list[str], expected: dict) -> None:
    found = parameters_of(given)
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]
