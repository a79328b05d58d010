"""The one error that users meet: what is wrong, where, and what to do about it."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MOST_LISTED = 24
MOST_ERRORS = 200


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


def all_of(what: str, errors: Sequence[FlawsightError]) -> FlawsightError:
    """One error that names them all: the only one as it is, several below each other after `what` they have in common.

    >>> print(all_of("2 of 3 images are bad", [FlawsightError("a.png is empty"), FlawsightError("b.png is cut")]))
    2 of 3 images are bad:
      a.png is empty
      b.png is cut
    """
    if len(errors) == 1:
        return errors[0]
    lines = [f"  {error}" for error in errors[:MOST_ERRORS]]
    if len(errors) > MOST_ERRORS:
        lines.append(f"  and {len(errors) - MOST_ERRORS} more")
    return FlawsightError("\n".join([f"{what}:", *lines]))
