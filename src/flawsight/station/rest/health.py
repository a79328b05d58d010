"""GET /healthz, /readyz, /metrics and /v1/status."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from flawsight.station.rest.models import HealthModel, ReadyModel, StatusModel
from flawsight.station.rest.problems import documented
from flawsight.station.station import Station


def health_routes(station: Station) -> APIRouter:
    """How the station does, for machines."""
    routes = APIRouter(tags=["health"])
    not_ready = {"description": "Stopping", "model": ReadyModel}

    @routes.get("/healthz", responses=documented(421))
    async def healthz() -> HealthModel:
        """That the process answers; nothing else is asked."""
        return HealthModel(status="ok")

    @routes.get("/readyz", response_model=ReadyModel, responses={**documented(421), 503: not_ready})
    async def readyz() -> JSONResponse:
        """Whether pictures would be inspected now."""
        is_ready = station.engine.is_running
        return JSONResponse({"status": "ready" if is_ready else "stopping"}, 200 if is_ready else 503)

    @routes.get("/metrics", response_class=Response, responses=_text())
    def metrics() -> Response:
        """For Prometheus."""
        return Response(station.measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/v1/status", responses=documented(401, 421, 500))
    def status() -> StatusModel:
        """How it does, for people."""
        return StatusModel(
            version=version("flawsight"),
            waiting=station.engine.waiting,
            queue=station.engine.size,
            inspected=station.history.counts(),
            problems=station.problems(),
            drift={name: "; ".join(said) for name in station.bundles.names if (said := _drift(station, name))},
            history_bytes=station.history.size,
        )

    return routes


def _drift(station: Station, name: str) -> list[str]:
    """The alarm, and what differs as a whole."""
    alarm = station.standing(name).alarm
    return [said for said in (alarm.text if alarm else "", station.drift(name)) if said]


def _text() -> dict:
    return {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented(401, 421)}
