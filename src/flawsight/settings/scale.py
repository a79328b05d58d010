"""Options of who does the work, and where it is written down."""

from __future__ import annotations

from flawsight.settings.base import Options, Text, option


class WorkerOptions(Options):
    """Who does the work.

    >>> WorkerOptions(workers=4).ray is None
    True
    """

    workers: int | None = option(
        None, "So many processes that share the cores; with --ray, workers of the cluster (default: all).", ge=1
    )
    ray: Text | None = option(
        None, "A Ray cluster: its address, auto for the one of this machine, local to start one.", metavar="ADDRESS"
    )


class TrackOptions(Options):
    """Where MLflow notes what was fitted.

    >>> TrackOptions().track is None
    True
    """

    track: Text | None = option(
        None, "Note each fit in MLflow: the address of a store, or local for a file beside the bundle.", metavar="URI"
    )
