"""The station over HTTP."""

from flawsight.station.rest.app import make_app

__all__ = ["make_app"]
