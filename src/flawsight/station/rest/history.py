"""GET /v1/history: what was said, pictures and tables of it; and what people say of a picture."""

from __future__ import annotations

import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from flawsight.station.engine.small import coloured_png
from flawsight.station.history import Record
from flawsight.station.rest.models import MarkModel, RecordModel, RecordsModel
from flawsight.station.rest.problems import BadRequest, documented
from flawsight.station.station import Station

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="32 hexadecimal digits")]
BundleName = Annotated[str | None, Query(max_length=255)]
Verdict = Annotated[Literal["good", "defective", "error"] | None, Query()]
Mark = Annotated[Literal["good", "defective"] | None, Query()]
Before = Annotated[str | None, Query(pattern="^[0-9a-f]{32}$", description="Go on after the record of this id.")]
Since = Annotated[float | None, Query(description="Seconds since 1970.", allow_inf_nan=False)]
Limit = Annotated[int, Query(ge=1, le=1000)]
_PROBLEMS = documented(400, 401, 403, 404, 408, 413, 421, 422, 500, 503, 507)
_TABLES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_IMAGES: dict[str, Any] = {"response_class": Response}


def history_routes(station: Station) -> APIRouter:
    """What is remembered."""
    routes = APIRouter(prefix="/v1/history", tags=["history"], responses=_PROBLEMS)
    history = station.history

    @routes.get("")
    def records(
        bundle: BundleName = None,
        verdict: Verdict = None,
        mark: Mark = None,
        before: Before = None,
        since: Since = None,
        limit: Limit = 50,
    ) -> RecordsModel:
        """The newest first."""
        found = history.latest(limit, bundle=bundle, verdict=verdict, mark=mark, before=before, since=since)
        models = [RecordModel.model_validate(record.to_dict()) for record in found]
        return RecordsModel(records=models, next=found[-1].id if len(found) == limit else None)

    @routes.get("/table", response_class=FileResponse, responses={200: {"content": {t: {} for t in _TABLES.values()}}})
    def table(format: Literal["csv", "parquet"] = "csv", since: Since = None) -> FileResponse:
        """All records as a table."""
        with tempfile.NamedTemporaryFile(suffix=f".{format}", delete=False) as file:
            path = FilePath(file.name)
        try:
            history.export_table(path, since)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        name = f"history.{format}"
        return FileResponse(path, media_type=_TABLES[format], filename=name, background=BackgroundTask(path.unlink))

    @routes.get("/{id}")
    def record(id: Id) -> RecordModel:
        """One record."""
        return RecordModel.model_validate(_known(station, id).to_dict())

    @routes.get("/{id}/thumbnail", response_class=Response, responses=_of("image/jpeg"))
    def thumbnail(id: Id) -> Response:
        """A small picture."""
        return _image(history.thumbnail(_known(station, id).id), "image/jpeg")

    @routes.get("/{id}/heatmap", response_class=Response, responses=_of("image/png"))
    def heatmap(id: Id) -> Response:
        """The heat map to lay over the picture: a PNG of RGBA, stretched to its size."""
        found = history.heatmap(_known(station, id).id)
        return _image(found and coloured_png(found), "image/png")

    @routes.get("/{id}/picture", response_class=Response, responses=_of("application/octet-stream"))
    def picture(id: Id) -> Response:
        """The picture's file as it came, where it was kept."""
        return _image(history.picture(_known(station, id).id), "application/octet-stream")

    @routes.post("/{id}/mark")
    def mark(id: Id, said: MarkModel) -> RecordModel:
        """Mark a picture as good or defective."""
        _known(station, id)
        return RecordModel.model_validate(history.mark(id, said.label, said.by).to_dict())

    return routes


def _known(station: Station, id: str) -> Record:
    found = station.history.get(id)
    if found is None:
        raise BadRequest(404, f"the history knows no picture '{id}': it may have been forgotten")
    return found


def _image(data: bytes | None, kind: str) -> Response:
    if data is None:
        raise BadRequest(404, "this was not kept of the picture")
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=86400"})


def _of(kind: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}
