import math

import pytest

from flawsight.report import plain_language as words


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.01, "10 in 1,000"),
        (2 / 241, "8 in 1,000"),
        (1 / 41, "24 in 1,000"),
        (0.0002, "2 in 10,000"),
        (1.0, "1,000 in 1,000"),
    ],
)
def test_frequency_counts_whole_parts(rate, text):
    assert words.frequency(rate) == text


@pytest.mark.parametrize(
    ("stride", "name"),
    [
        (1, "Fine texture"),
        (4, "Fine texture"),
        (8, "Medium structures"),
        (16, "Medium structures"),
        (32, "Large shapes"),
    ],
)
def test_scale_of_names_the_size_of_details(stride, name):
    assert words.scale_of(stride) == name


def test_grades_never_praise_guessing():
    assert words.grade(0.5) == "hardly ever"
    assert words.grade(words.SEEN_WELL) == "mostly"
    assert words.grade(0.999) == "almost always"


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0.931, 0, "93 %"),
        (0.931, 1, "93.1 %"),
        (0.996, 0, "99.6 %"),
        (1.0, 0, "100 %"),
        (0.004, 0, "0.4 %"),
        (0.0, 0, "0 %"),
    ],
)
def test_percent_keeps_what_matters(share, decimals, text):
    assert words.percent(share, decimals) == text


def test_missing_figures_are_dashes():
    assert words.percent(math.nan) == words.number(math.nan) == words.number(math.inf) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.14159, "3.142"), (12, "12"), (1234567.8, "1,234,568"), (0.00123456, "0.001235"), (-2.5, "-2.5")],
)
def test_number(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (38.2, "38 s"), (71, "1 min 11 s"), (119.7, "2 min 00 s"), (7800, "2 h 10 min")],
)
def test_duration(seconds, text):
    assert words.duration(seconds) == text


def test_nested_settings_become_rows():
    nested = {"extractor": {"name": "net", "sizes": [1, 2.5]}, "seed": 0, "on": True, "mask": None}
    assert words.flatten(nested) == [
        ("extractor.name", "net"),
        ("extractor.sizes", "1, 2.5"),
        ("seed", "0"),
        ("on", "yes"),
        ("mask", "none"),
    ]
