"""How a browser gets in: the token is typed once, and a cookie stands for it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader

from flawsight.station.rest.access import COOKIE, SECONDS_FOR_A_WRONG_TOKEN, Access

_TEMPLATES = Environment(loader=PackageLoader("flawsight.station.rest", "."), autoescape=True)


def login_routes(access: Access) -> APIRouter:
    """/login, for stations with a token."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    async def ask() -> HTMLResponse:
        return HTMLResponse(_page())

    @routes.post("/login")
    async def open_(request: Request) -> Response:
        given = parse_qs((await request.body()).decode("ascii", "replace")).get("token", [""])[0].strip()
        if not access.is_token(given):
            await asyncio.sleep(SECONDS_FOR_A_WRONG_TOKEN)
            return HTMLResponse(_page("This is not the token."), 401)
        answer = RedirectResponse("/", 303)
        is_secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, access.cookie(), httponly=True, samesite="strict", secure=is_secure)
        return answer

    return routes


def _page(said: str = "") -> str:
    return _TEMPLATES.get_template("login.html.jinja").render(said=said)
