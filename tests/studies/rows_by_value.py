"""Rows of a study by what stands in their columns."""

import pandas as pd

from flawsight.studies import StudyResult


def rows(found: StudyResult, **values: object) -> pd.DataFrame:
    """Those with these values in the columns of these names."""
    lines = found.rows
    for name, value in values.items():
        lines = lines[lines[name] == value]
    return lines


def row(found: StudyResult, **values: object) -> pd.Series:
    """The only one."""
    lines = rows(found, **values)
    assert len(lines) == 1, lines
    return lines.iloc[0]
