"""What the alarm of drift takes."""

from __future__ import annotations

from flawsight.settings.base import Options, option


class DriftOptions(Options):
    """How the alarm of drift is set.

    >>> DriftOptions().drift_rate, DriftOptions().most_defective
    (0.01, 0.05)
    """

    drift_rate: float = option(
        0.01, "Probability of ever raising an alarm of drift while nothing changes.", gt=0, lt=1, metavar="RATE"
    )
    most_defective: float = option(
        0.05, "At most this share of all parts is defective: more is an alarm, too.", gt=0, lt=1, metavar="SHARE"
    )
