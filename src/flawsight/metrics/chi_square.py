"""The operating point of paper C: a threshold from the assumption that features are normal, and from nothing else."""

import math

from flawsight.core import FlawsightError


def chi_square_threshold(dimensions: int, false_alarm_rate: float) -> float:
    """The Mahalanobis distance that a share `false_alarm_rate` of good images exceeds (Eq. 8 of paper C).

    Exact if their `dimensions` features are normal, and their mean and covariance known rather than estimated. With
    few images it alarms far more often; `operating_point` needs neither assumption.

    >>> round(chi_square_threshold(dimensions=1, false_alarm_rate=0.05), 2)
    1.96
    """
    if dimensions < 1:
        raise FlawsightError(f"A distance has 1 or more dimensions, but {dimensions} were given.")
    if not 0 < false_alarm_rate < 1:
        raise FlawsightError(f"The false-alarm rate must lie strictly between 0 and 1, but it is {false_alarm_rate}.")
    # SciPy is not part of the base install, which imports this package.
    from scipy.special import chdtri

    return math.sqrt(float(chdtri(dimensions, false_alarm_rate)))
