"""Who may ask, from where, how much and how slowly: before anything else looks at a request."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flawsight.core import FlawsightError
from flawsight.station.rest.problems import BadRequest, problem_response

COOKIE = "flawsight-station"
OPEN = ("/healthz", "/readyz", "/login")
"""Paths that say nothing of the products, and ask for no token."""
SHORTEST_TOKEN = 16
SECONDS_FOR_A_WRONG_TOKEN = 0.3
REQUESTS_HELD = 8
"""So many of the largest size are held in memory at a time."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",  # with less than that, browsers do not say of what origin a form is
}


def read_token(path: Path | None, host: str) -> str | None:
    """The token in a file, None without one; FlawsightError where the host is not this machine and there is none."""
    if path is None:
        if is_loopback(host):
            return None
        raise FlawsightError(f"--host {host} can be reached by others: give --token-file, a file with a secret")
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FlawsightError(f"token file '{path}' cannot be read ({error}); check the path") from error
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise FlawsightError(
            f"the token in '{path}' must be one line of at least {SHORTEST_TOKEN} letters and digits: make one with "
            "`openssl rand -hex 32`"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, reached from itself alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass
class _Body:
    """As much of a request's body as has come."""

    bytes: int = 0
    is_whole: bool = False


class Access:
    """Lets a request through, or answers it. `seconds`: a request's body must have come in this time."""

    def __init__(self, app: ASGIApp, token: str | None, most_bytes: int, seconds: float) -> None:
        self.app, self._token, self._most, self._seconds = app, token, most_bytes, seconds
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one connection of a page."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        refusal = await self._refusal(scope)
        if refusal is None:
            if scope["type"] == "websocket":
                return await self.app(scope, receive, send)
            body = _Body()
            try:
                return await self.app(scope, self._limited(receive, body), _with_headers(send))
            finally:
                self._held -= body.bytes
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await refusal(scope, receive, _with_headers(send))

    def is_token(self, given: str) -> bool:
        """Whether this is the token, told in constant time."""
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def cookie(self) -> str:
        """What a browser keeps instead of the token."""
        return hmac.new((self._token or "").encode(), b"the page", hashlib.sha256).hexdigest()

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._token is None and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            # A page of the internet may resolve its own name to this machine.
            return problem_response(421, "this station answers to 127.0.0.1 and localhost alone")
        origin = headers.get("origin")
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD", "OPTIONS")
        if origin and not is_read and urlsplit(origin).netloc != host:
            return problem_response(403, "a page of another site may not ask this station")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most:
            return problem_response(413, f"a request may have at most {self._most:,} bytes")
        if self._token is None or scope["path"] in OPEN or self._is_known(headers):
            return None
        if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        if "authorization" in headers:
            await asyncio.sleep(SECONDS_FOR_A_WRONG_TOKEN)
        return problem_response(401, "give the token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(token.strip()):
            return True
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        given = cookies[COOKIE].value if COOKIE in cookies else ""
        return hmac.compare_digest(given.encode(), self.cookie().encode())

    def _limited(self, receive: Receive, body: _Body) -> Receive:
        """Receive no more bytes than allowed, in one request and in all together, and no slower."""
        end = time.monotonic() + self._seconds

        async def limited() -> Message:
            if body.is_whole:  # what is waited for now is the end of the connection
                return await receive()
            try:
                async with asyncio.timeout(end - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                raise BadRequest(408, f"the request did not come in {self._seconds:g} s") from None
            got = len(message.get("body", b""))
            body.bytes, self._held = body.bytes + got, self._held + got
            body.is_whole = not message.get("more_body", False)
            if body.bytes > self._most:
                raise BadRequest(413, f"a request may have at most {self._most:,} bytes")
            if self._held > REQUESTS_HELD * self._most:
                raise BadRequest(503, "too many large requests at once: try again")
            return message

        return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
