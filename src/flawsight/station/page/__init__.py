"""The station's page: for the operator, the quality engineer and whoever must answer for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from flawsight.station.station import Station


def add_page(app: FastAPI, station: Station) -> None:
    """Put the page at `/`, behind all routes that the app has by now: call this last, and once before the app starts.

    Where this is not called, NiceGUI is not loaded.
    """
    from flawsight.station.page.mount import mount

    mount(app, station)
