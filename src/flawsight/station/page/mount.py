"""Where the page's parts are found: its views, its pictures and its files."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import nicegui
import numpy as np
from fastapi import FastAPI
from nicegui import ui
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from flawsight.core import FlawsightError
from flawsight.station.bundles import UnknownBundle
from flawsight.station.page.facts.news import News
from flawsight.station.page.facts.pictures import heatmap_of, left_out, picture_of
from flawsight.station.page.facts.polygons import shade_png
from flawsight.station.page.frame import Visit, visit
from flawsight.station.page.live import LivePage
from flawsight.station.page.model import ModelPage
from flawsight.station.page.region import RegionPage
from flawsight.station.page.review import ReviewPage
from flawsight.station.page.sensitivity import SensitivityPage
from flawsight.station.page.words import ASSETS
from flawsight.station.station import Station

VIEWS: dict[str, Callable[[Visit], object]] = {
    "/": LivePage,
    "/sensitivity": SensitivityPage,
    "/review": ReviewPage,
    "/region": RegionPage,
    "/model": ModelPage,
}
STYLE, SCRIPT = "style.css", "page.js"
KINDS = {STYLE: "text/css", SCRIPT: "text/javascript"}
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
CLOSED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"}
"""A report may show itself, and do nothing."""
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#0b6e99" stroke-width="2.4">'
    '<circle cx="10" cy="10" r="7"/><path d="M15.2 15.2 21 21M7 10l2.2 2.4L13.4 8"/></svg>'
)


def mount(app: FastAPI, station: Station) -> None:
    """Add the page to an app, behind its own routes."""
    news = News(station)
    _add_files(app, station)
    _add_pictures(app, station, news)
    head = "".join(
        f'<link rel="stylesheet" href="/page/assets/{name}?{digest}">'
        if name == STYLE
        else f'<script src="/page/assets/{name}?{digest}"></script>'
        for name, digest in ((name, hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12]) for name in KINDS)
    )
    for path, view in VIEWS.items():
        _add_view(path, view, station, news, head)
    # NiceGUI has one app for the process, that takes nothing more once it ran: a station may come after another.
    nicegui.app.middleware_stack = None
    nicegui.app.user_middleware.clear()
    ui.run_with(app, title="Flawsight", favicon=FAVICON, dark=None, tailwind=False, show_welcome_message=False)


def _add_view(path: str, view: Callable[[Visit], object], station: Station, news: News, head: str) -> None:
    @ui.page(path)
    def page(bundle: str | None = None) -> None:
        ui.add_head_html(head)
        if (seen := visit(station, news, path, bundle)) is not None:
            view(seen)


def _add_pictures(app: FastAPI, station: Station, news: News) -> None:
    def answer(data: bytes | None, kind: str, headers: dict[str, str]) -> Response:
        return Response(status_code=404) if data is None else Response(data, media_type=kind, headers=headers)

    @app.get("/page/picture/{id}", include_in_schema=False)
    def picture(id: str) -> Response:
        return answer(picture_of(station, news, id), "image/jpeg", FOR_EVER)

    @app.get("/page/heatmap/{id}", include_in_schema=False)
    def heatmap(id: str) -> Response:
        return answer(heatmap_of(station, news, id), "image/png", FOR_EVER)

    @app.get("/page/thumbnail/{id}", include_in_schema=False)
    def thumbnail(id: str) -> Response:
        return answer(station.history.thumbnail(id), "image/jpeg", FOR_EVER)

    @app.get("/page/left-out/{bundle}", include_in_schema=False)
    def shade(bundle: str, height: int, width: int) -> Response:
        try:
            loaded = station.bundles.get(bundle)
        except UnknownBundle:
            return Response(status_code=404)
        sizes = {region.size for region in (loaded.inspector.region, loaded.inspector.judged) if region is not None}
        # Only sizes that were learned: nobody has the station paint what has no end.
        mask = left_out(loaded, (height, width)) if (height, width) in sizes else np.zeros((1, 1), bool)
        return answer(shade_png(mask), "image/png", {"Cache-Control": "no-store"})


def _add_files(app: FastAPI, station: Station) -> None:
    @app.get("/page/assets/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name not in KINDS:
            return Response(status_code=404)
        return FileResponse(ASSETS / name, media_type=KINDS[name], headers=FOR_EVER)

    @app.get("/page/report/{bundle}", include_in_schema=False)
    def report(bundle: str) -> Response:
        try:
            path = station.bundles.get(bundle).folder / "report.html"
        except UnknownBundle:
            return Response(status_code=404)
        return FileResponse(path, headers=CLOSED) if path.is_file() else Response(status_code=404)

    @app.get("/page/history.csv", include_in_schema=False)
    def table() -> Response:
        folder = tempfile.TemporaryDirectory(prefix="flawsight-")
        path = Path(folder.name) / "history.csv"
        try:
            station.history.export_table(path)
        except FlawsightError as error:
            folder.cleanup()
            return Response(str(error), status_code=500, media_type="text/plain")
        return FileResponse(path, filename="flawsight-history.csv", background=BackgroundTask(folder.cleanup))
