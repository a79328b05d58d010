"""Saying which files differ from the others."""

from __future__ import annotations

from collections.abc import Mapping

from flawsight.core import FlawsightError
from flawsight.data.decode import Where

MOST_NAMED = 10


def named(odd: Mapping[Where, str]) -> str:
    """Files and what each is, at most ten."""
    said = [f"{path.name} is {what}" for path, what in list(odd.items())[:MOST_NAMED]]
    more = [f"and {len(odd) - MOST_NAMED} more"] if len(odd) > MOST_NAMED else []
    return ", ".join(said + more)


def refuse_odd(odd: Mapping[Where, str], total: int) -> None:
    """Raise if there are any."""
    if odd:
        raise FlawsightError(f"{odd_ones(odd, total)}; take them out, or save all alike")


def odd_ones(odd: Mapping[Where, str], total: int) -> str:
    """A sentence about them."""
    return f"{len(odd)} of {total} good pictures are unlike the others: {named(odd)}"
