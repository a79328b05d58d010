"""What is said of the good pictures."""

from __future__ import annotations

from flawsight.settings.base import Options, Text, option


class TrustOptions(Options):
    """Which pictures belong together, and whether all are good.

    >>> TrustOptions(group_by=r"(part\\d+)").drop_suspects
    False
    """

    group_by: Text | None = option(
        None,
        "Several pictures show one part: a regular expression whose group names the part in a file's path.",
        metavar="REGEX",
    )
    drop_suspects: bool = option(
        False, "Leave out pictures that look as if they showed a defect, and learn again without them."
    )
    all_good: bool = option(False, "All pictures are good: no suspects are looked for, and none dropped.")
