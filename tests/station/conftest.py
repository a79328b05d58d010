"""A station over the small bundle, in this process."""

import io
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from flawsight.settings import ServeSettings
from flawsight.station import Station
from flawsight.station.rest import make_app


def png(image: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def plates(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that may be written to."""
    return Path(shutil.copytree(bundle, tmp_path / "plates"))


@pytest.fixture
def make_station(plates: Path, tmp_path: Path) -> Iterator[Callable[..., Station]]:
    """Stations with options of their own, stopped at the end; not started with `start=False`."""
    made: list[Station] = []

    def make(start: bool = True, **options: Any) -> Station:
        given = {"bundles": plates, "history": tmp_path / "station" / "history.db", "threads": 1, **options}
        station = Station(ServeSettings.of(given))
        made.append(station)
        if start:
            station.start()
        return station

    yield make
    for station in made:
        station.stop()


@pytest.fixture
def station(make_station: Callable[..., Station]) -> Station:
    return make_station()


@pytest.fixture
def client(station: Station) -> TestClient:
    return client_of(station)


@pytest.fixture
def make_client() -> Callable[..., TestClient]:
    return client_of


def client_of(station: Station, token: str | None = None, host: str = "localhost") -> TestClient:
    app = make_app(station, token, page=False)
    return TestClient(app, base_url=f"http://{host}", raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def encode() -> Callable[[np.ndarray], bytes]:
    return png


@pytest.fixture
def good_png(texture: Callable) -> bytes:
    return png(texture(100))


@pytest.fixture
def bad_png(spoiled: Callable) -> bytes:
    return png(spoiled(200))


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits until something holds."""

    def wait(holds: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, "it does not come to an end"
            time.sleep(0.01)

    return wait
