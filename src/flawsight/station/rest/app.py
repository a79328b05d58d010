"""The application: routes, problems, and in front of all who may ask."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from flawsight.station.rest.access import Access
from flawsight.station.rest.bundles import bundle_routes
from flawsight.station.rest.health import health_routes
from flawsight.station.rest.history import history_routes
from flawsight.station.rest.inspecting import inspect_routes
from flawsight.station.rest.login import login_routes
from flawsight.station.rest.problems import Problem, add_problems
from flawsight.station.station import Station


def make_app(station: Station, token: str | None = None, page: bool = True) -> Access:
    """The station over HTTP, with its page; `app` is the application behind the gate.

    >>> from fastapi.testclient import TestClient
    >>> from flawsight.station.rest import make_app
    >>> settings = fs.settings.ServeSettings.of({"bundles": bundle, "history": tmp / "history.db", "threads": 1})
    >>> station = fs.station.Station(settings)
    >>> station.start()
    >>> client = TestClient(make_app(station, page=False), base_url="http://localhost")
    >>> client.post("/v1/inspect", content=(dataset / "test" / "spot" / "000.png").read_bytes()).json()["verdict"]
    'defective'
    >>> station.stop()
    """
    # No pages of Swagger or ReDoc: they fetch their scripts from the internet.
    app = FastAPI(title="Flawsight station", version=version("flawsight"), docs_url=None, redoc_url=None)
    add_problems(app)
    access = Access(app, token, int(station.settings.max_bytes), station.settings.timeout)
    for routes in (inspect_routes, bundle_routes, history_routes, health_routes):
        app.include_router(routes(station))
    app.include_router(login_routes(access))
    _describe(app)
    if page:
        from flawsight.station.page import add_page

        add_page(app, station)
    return access


def _describe(app: FastAPI) -> None:
    """The OpenAPI document, with what all routes share."""
    document = app.openapi()
    document["components"]["schemas"].setdefault("Problem", Problem.model_json_schema())
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}, {}]
