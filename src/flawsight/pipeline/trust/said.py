"""What is said of suspects, and of what the stated rate is worth because of them."""

from __future__ import annotations

from collections.abc import Sequence

from flawsight.metrics import OperatingPoint
from flawsight.pipeline.trust.suspect import Suspect
from flawsight.pipeline.trust.suspects import Learned

_MOST_NAMED = 5


def said_of_suspects(outcome: Learned) -> tuple[str, ...]:
    """A sentence on those that were left out, and one on the others."""
    left_out = outcome.left_out
    others = [one for one in outcome.suspects or () if not one.is_left_out]
    found = []
    if left_out:
        it, they = ("it", "it") if len(left_out) == 1 else ("them", "they")
        found.append(
            f"{_count(left_out)} as if {they} showed a defect ({_named(left_out)}): nothing was learned from {it}, "
            f"and the stated rate is for good parts like the others; should {they} be good after all, that is "
            f"about {rate_if_good(outcome):.2%}"
        )
    if others:
        they, do, count = ("it", "does", "counts") if len(others) == 1 else ("they", "do", "count")
        most = most_found(outcome.calibration.operating_point, len(others))
        found.append(
            f"{_count(others)} as if {they} showed a defect ({_named(others)}): look at the report, and take out what "
            "does, or let --drop-suspects do so"
        )
        if most < 1:
            found[-1] += f"; if {they} {do}, at most {most:.0%} of such defects are stopped as long as {they} {count}"
    return tuple(found)


def most_found(point: OperatingPoint, defective: int) -> float:
    """The largest share of defects that can be stopped where so many parts with such a defect count as good.

    The threshold stops a new part if fewer than `allowed` of those that count score as high, so also fewer than that of
    the defective ones; any order of these and of a new one like them is as likely.
    """
    allowed = round(point.rate * (point.calibration_size + 1))
    return min(1.0, allowed / (defective + 1))


def rate_if_good(outcome: Learned) -> float:
    """The stated rate, were the pictures that were left out all good and of different parts: all count as stopped."""
    point, more = outcome.calibration.operating_point, len(outcome.left_out)
    stopped = point.rate * (point.calibration_size + 1) + more
    return min(1.0, stopped / (point.calibration_size + more + 1))


def _count(suspects: Sequence[Suspect]) -> str:
    return "1 picture looks" if len(suspects) == 1 else f"{len(suspects)} pictures look"


def _named(suspects: Sequence[Suspect]) -> str:
    names = ", ".join(one.path.name for one in suspects[:_MOST_NAMED])
    more = len(suspects) - _MOST_NAMED
    return f"{names} and {more} more" if more > 0 else names
