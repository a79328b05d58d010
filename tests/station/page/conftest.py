"""A station with its page in this process, and a real browser that sees it."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from flawsight.settings import ServeSettings
from flawsight.station import Station

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


@dataclass
class Served:
    """A station that runs, where it is, and ways to give it pictures."""

    station: Station
    url: str
    texture: Callable[..., np.ndarray]
    spoiled: Callable[..., np.ndarray]

    def good(self, seed: int) -> Any:
        return self._inspect(self.texture(seed), f"good-{seed}.png")

    def bad(self, seed: int) -> Any:
        return self._inspect(self.spoiled(seed), f"bad-{seed}.png")

    def file(self, seed: int) -> bytes:
        return png(self.spoiled(seed))

    def _inspect(self, image: np.ndarray, name: str) -> Any:
        return self.station.submit(png(image), name, source="rest").result(30).record


@pytest.fixture(scope="module")
def served(bundle: Path, texture: Callable, spoiled: Callable, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """One station for a module: NiceGUI has one page for a process at a time."""
    uvicorn = pytest.importorskip("uvicorn")
    pytest.importorskip("nicegui")
    from flawsight.station.rest import make_app

    folder = tmp_path_factory.mktemp("station")
    plates = shutil.copytree(bundle, folder / "plates")
    options = {"bundles": plates, "history": folder / "history.db", "threads": 1, "keep": "all"}
    station = Station(ServeSettings.of(options))
    station.start()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(station), log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield Served(station, f"http://127.0.0.1:{listening.getsockname()[1]}", texture, spoiled)
    server.should_exit = True
    thread.join(20)
    station.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium without a screen."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What tabs asked for and complained of."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def open_tab(served: Served, chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens tabs; at the end, none of them may have complained, or asked another host, or fetched a font."""
    watch, contexts = Watch(), []

    def opened(path: str = "/", scheme: str = "light", size: tuple[int, int] = (1280, 720), name: str = "") -> Any:
        width, height = size
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        if name:
            context.add_cookies([{"name": "flawsight_name", "value": name, "url": served.url}])
        tab = context.new_page()
        tab.set_default_timeout(30_000)  # a busy machine is slow, and no fault
        tab.on("request", lambda request: watch.requests.append(request.url))
        tab.on("websocket", lambda socket: watch.requests.append(socket.url))
        tab.on("pageerror", lambda error: watch.complaints.append(str(error)))
        tab.on("console", lambda said: watch.complaints.append(said.text) if said.type == "error" else None)
        tab.goto(served.url + path)
        tab.wait_for_selector(".page")
        return tab

    yield opened
    for context in contexts:
        context.close()
    host = urlsplit(served.url).netloc
    others = {url for url in watch.requests if urlsplit(url).netloc != host and not url.startswith(("data:", "blob:"))}
    fonts = {url for url in watch.requests if ".woff" in url}
    assert watch.requests and not watch.complaints and not others and not fonts
