"""POST /v1/inspect and /v1/inspect-many."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from flawsight.station.engine import Answer
from flawsight.station.engine.small import coloured_png, heatmap_png
from flawsight.station.rest.bodies import Upload, uploads
from flawsight.station.rest.models import InspectionModel, InspectionsModel
from flawsight.station.rest.problems import BadRequest, documented, problem
from flawsight.station.station import Station

Heatmap = Annotated[
    Literal["0", "1", "png", "float"], Query(description="The heat map too: 1 or png, or float for the raw map.")
]
BundleName = Annotated[str | None, Query(description="Which bundle; default: the station's.", max_length=255)]
Name = Annotated[str, Query(description="What the picture is called, for people.", max_length=255)]
_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_PROBLEMS = documented(400, 401, 403, 404, 408, 413, 415, 421, 422, 429, 500, 503, 504)


def _body(several: bool) -> dict[str, Any]:
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    if several:
        file = {"type": "array", "items": file, "minItems": 1}
    form = {"schema": {"type": "object", "required": ["file"], "properties": {"file": file}}}
    raw = {} if several else {"image/png": _PICTURE, "image/jpeg": _PICTURE, "application/octet-stream": _PICTURE}
    return {"requestBody": {"required": True, "content": {**raw, "multipart/form-data": form}}}


def inspect_routes(station: Station) -> APIRouter:
    """Pictures in, verdicts out."""
    routes = APIRouter(prefix="/v1", tags=["inspect"])

    @routes.post("/inspect", response_model=InspectionModel, responses=_PROBLEMS, openapi_extra=_body(False))
    async def inspect(
        request: Request, bundle: BundleName = None, heatmap: Heatmap = "0", name: Name = ""
    ) -> JSONResponse:
        """Inspect one picture: the body as it is, or the part `file` of a form."""
        station.bundles.get(bundle)
        (answer,) = await _answers(station, await uploads(request, name, 1), bundle)
        if answer.result is None:
            raise BadRequest(422, answer.record.reason)
        return JSONResponse(_document(station, answer, heatmap))

    @routes.post("/inspect-many", response_model=InspectionsModel, responses=_PROBLEMS, openapi_extra=_body(True))
    async def inspect_many(request: Request, bundle: BundleName = None, heatmap: Heatmap = "0") -> JSONResponse:
        """Inspect the parts `file` of a form, all or, where the queue has no room for all, none."""
        station.bundles.get(bundle)
        answers = await _answers(station, await uploads(request, "", station.settings.queue), bundle)
        return JSONResponse({"results": [_one_of_many(station, answer, heatmap) for answer in answers]})

    return routes


async def _answers(station: Station, pictures: list[Upload], bundle: str | None) -> list[Answer]:
    """Whoever asked and left is not inspected, if there is still time."""
    jobs = [station.job(picture.data, picture.name, bundle, "rest") for picture in pictures]
    station.engine.submit(jobs)
    return await asyncio.gather(*(asyncio.wrap_future(job.future) for job in jobs))


def _one_of_many(station: Station, answer: Answer, heatmap: str) -> dict[str, Any]:
    record = answer.record
    if answer.result is not None:
        return _document(station, answer, heatmap)
    refused = problem(422, record.reason)
    return {"id": record.id, "name": record.picture, "kept": answer.kept, "problem": refused}


def _document(station: Station, answer: Answer, heatmap: str) -> dict[str, Any]:
    record = answer.record
    assert record.size is not None
    return {
        "id": record.id,
        "name": record.picture,
        "bundle": record.bundle,
        "verdict": record.verdict,
        "score": record.score,
        "p_value": record.p_value,
        "threshold": record.threshold,
        "regions": record.regions,
        "height": record.size[0],
        "width": record.size[1],
        "kept": answer.kept,
        "heatmap": _heatmap(station, answer, heatmap),
    }


def _heatmap(station: Station, answer: Answer, kind: str) -> dict[str, Any] | None:
    if kind == "0" or answer.result is None:
        return None
    values = answer.result.anomaly_map
    if kind == "float":
        data, name, (height, width) = values.astype("<f4").tobytes(), "float32", values.shape
    else:
        scale = station.bundles.get(answer.record.bundle).inspector.manifest.colour_scale
        grey = heatmap_png(values, scale)
        data, name = coloured_png(grey), "png"
        height, width = np.frombuffer(data[16:24], ">u4")[::-1].tolist()  # of the PNG's header
    return {"format": name, "height": height, "width": width, "data": base64.b64encode(data).decode()}
