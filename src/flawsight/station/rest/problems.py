"""Errors as problem documents (RFC 9457); nothing of how the station works inside leaves it."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from flawsight.core import FlawsightError, readable
from flawsight.station.bundles import ChangedOnDisk, UnknownBundle
from flawsight.station.engine import QueueFull, Stopping, TimedOut
from flawsight.station.history import NotKept

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("flawsight.station")


class BadRequest(FlawsightError):
    """A request that is not as it should be; `status` says in which way."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


_STATUS: dict[type[FlawsightError], int] = {
    UnknownBundle: 404,
    ChangedOnDisk: 409,
    QueueFull: 429,
    Stopping: 503,
    TimedOut: 504,
    NotKept: 507,
}


class Problem(BaseModel):
    """What went wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def problem(status: int, detail: str) -> dict[str, Any]:
    """A problem document."""
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=readable(detail)).model_dump()


def problem_response(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """It as a response."""
    return JSONResponse(problem(status, detail), status, headers, MEDIA_TYPE)


def status_of(error: FlawsightError) -> int:
    """The status that says what an error is."""
    return error.status if isinstance(error, BadRequest) else _STATUS.get(type(error), 422)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def add_problems(app: FastAPI) -> None:
    """Answer every error by a problem document."""

    @app.exception_handler(FlawsightError)
    async def _ours(request: Request, error: FlawsightError) -> JSONResponse:
        status = status_of(error)
        wait = error.retry_after if isinstance(error, QueueFull) else 5.0
        headers = {"Retry-After": str(math.ceil(wait))} if status in (429, 503) else None
        return problem_response(status, str(error), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the body"
        return problem_response(422, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        number = secrets.token_hex(4)
        _log.error("error %s: %s: %s", number, type(error).__name__, error)
        return problem_response(500, f"an error of the station: its log has more under {number}")
