"""The one error that users meet: what is wrong, where, and what to do about it."""


class FlawsightError(ValueError):
    """Bad input, explained: the message names the file or value and the remedy. The command line exits with 2."""
