"""The check of pictures that can be read."""

from __future__ import annotations

from collections.abc import Sequence

from flawsight.health.copies import copies
from flawsight.health.facts import PictureFacts
from flawsight.health.findings import HealthReport, graver_first
from flawsight.health.outliers import outliers, typical


def check_pictures(facts: Sequence[PictureFacts]) -> HealthReport:
    """Copies, outliers and strangers among pictures that were measured.

    >>> rows = [facts_of(good / f"{n:03d}.png", image, (64, 80)) for n, image in enumerate(images)]
    >>> twice = facts_of(good / "again.png", images[3], (64, 80))
    >>> [finding.sentence for finding in check_pictures([*rows, twice]).findings]
    ['1 picture is a copy of another (003.png = again.png): keep one of each, ...']
    """
    found = [*copies(facts), *outliers(facts)]
    return HealthReport(len(facts), graver_first(found), typical(facts))
