"""The one error that users meet: what is wrong, where, and what to do about it."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_LISTED = 24


class FlawsightError(ValueError):
    """Bad input, explained: the message names the file or value and the remedy. The command line exits with 2.

    >>> try:
    ...     fs.load("nowhere")
    ... except FlawsightError as error:
    ...     print(error)
    'nowhere' is no bundle: it has no inspector.json; make one with `flawsight fit`
    """


def unknown(what: str, name: object, known: Iterable[str], *, remedy: str = "") -> FlawsightError:
    """The error for a name that is none of those known, with the nearest, and all of them where they are few.

    >>> print(unknown("detector", "patchcor", ["patchcore", "gaussian"]))
    unknown detector 'patchcor': did you mean patchcore? known: patchcore, gaussian
    """
    names = list(known)
    near = get_close_matches(str(name), names, n=3, cutoff=0.4)
    parts = [f"did you mean {' or '.join(near)}?" if near else "", remedy]
    if len(names) <= MOST_LISTED:
        parts.append(f"known: {', '.join(names) or 'none'}")
    return FlawsightError(f"unknown {what} '{name}': {' '.join(part for part in parts if part)}")
