"""Who gets in: nobody from elsewhere, and with a token nobody without it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from flawsight.core import FlawsightError
from flawsight.station import Station
from flawsight.station.rest.access import REQUESTS_HELD, Access, is_loopback, read_token
from flawsight.station.rest.problems import BadRequest

TOKEN = "a-token-that-is-long-enough"
CLOSED = ["/v1/bundles", "/v1/history", "/metrics", "/openapi.json", "/v1/status", "/nothing"]


@pytest.fixture
def guarded(station: Station, make_client: Callable[..., TestClient]) -> TestClient:
    return make_client(station, TOKEN, host="station.plant.example")


@pytest.mark.parametrize("path", CLOSED)
def test_all_but_health_needs_the_token(guarded: TestClient, path: str) -> None:
    refused = guarded.get(path)
    assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
    assert guarded.get(path, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    assert guarded.get(path, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert guarded.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in (200, 404)
    assert guarded.get("/healthz").status_code == guarded.get("/readyz").status_code == 200


def test_a_browser_logs_in(guarded: TestClient) -> None:
    html = {"Accept": "text/html"}
    assert guarded.get("/", headers=html).headers["location"] == "/login"
    assert "token" in guarded.get("/login", headers=html).text
    wrong = guarded.post("/login", data={"token": "guess"})
    assert wrong.status_code == 401 and "not the token" in wrong.text and not wrong.cookies
    right = guarded.post("/login", data={"token": TOKEN})
    assert right.status_code == 303 and "HttpOnly" in right.headers["set-cookie"]
    assert "SameSite=strict" in right.headers["set-cookie"] and TOKEN not in right.headers["set-cookie"]
    assert guarded.get("/v1/bundles").status_code == 200
    guarded.cookies.clear()
    assert guarded.get("/v1/bundles").status_code == 401


def test_without_a_token_only_this_machine_is_answered(
    station: Station, make_client: Callable[..., TestClient]
) -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        assert make_client(station, host=host).get("/healthz").status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "192.168.1.5"):
        assert make_client(station, host=host).get("/healthz").status_code == 421


def test_a_page_of_another_site_may_not_ask(client: TestClient, good_png: bytes) -> None:
    headers = {"Origin": "http://evil.example"}
    assert client.post("/v1/inspect", content=good_png, headers=headers).status_code == 403
    assert client.post("/v1/inspect", content=good_png, headers={"Origin": "null"}).status_code == 403
    assert client.post("/v1/inspect", content=good_png, headers={"Origin": "http://localhost"}).status_code == 200


def test_headers_that_browsers_mind(client: TestClient) -> None:
    for path in ("/healthz", "/nothing", "/v1/bundles"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.4.5", "::1", "[::1]", "localhost", "a.localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host) and read_token(None, host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "station.plant.example", ""])
def test_others_need_a_token(host: str, tmp_path: Path) -> None:
    assert not is_loopback(host)
    with pytest.raises(FlawsightError, match="--token-file"):
        read_token(None, host)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token", host) == TOKEN


@pytest.mark.parametrize(
    "text", ["", "short", "two words of enough length", "lines\nof enough length altogether", "ü" * 20]
)
def test_weak_tokens_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(FlawsightError, match="at least 16"):
        read_token(tmp_path / "token", "0.0.0.0")
    with pytest.raises(FlawsightError, match="cannot be read"):
        read_token(tmp_path / "nothing", "0.0.0.0")


def test_large_requests_together_do_not_fill_the_memory() -> None:
    access = Access(_reads_all, None, most_bytes=100, seconds=5)

    async def ask(size: int, given: asyncio.Event) -> list[Message]:
        sent: list[Message] = []
        parts = [{"type": "http.request", "body": bytes(size), "more_body": True}]

        async def receive() -> Message:
            if parts:
                return parts.pop()
            await given.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost")]}
        try:
            await access(scope, receive, send)
        except BadRequest as error:
            assert error.status == 503
        return sent

    async def all_at_once() -> None:
        given = asyncio.Event()
        asked = [asyncio.create_task(ask(100, given)) for _ in range(REQUESTS_HELD)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await ask(1, given) == []  # one more byte is too much
        given.set()
        assert all(sent for sent in await asyncio.gather(*asked))
        assert await ask(100, given)  # and now there is room

    with ThreadPoolExecutor(1) as other:  # this thread may have a loop of its own, of a browser's tests
        other.submit(asyncio.run, all_at_once()).result(60)


async def _reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
