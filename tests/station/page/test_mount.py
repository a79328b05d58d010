"""The page beside the service: it takes no route from it, and costs nothing where it is not asked for."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flawsight.settings import ServeSettings
from flawsight.station import Station

pytest.importorskip("nicegui")
testclient = pytest.importorskip("fastapi.testclient")


@pytest.fixture
def station(bundle: Path, texture, tmp_path: Path) -> Iterator[Station]:
    plates = shutil.copytree(bundle, tmp_path / "plates")
    made = Station(ServeSettings.of({"bundles": plates, "history": tmp_path / "history.db", "threads": 1}))
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_station_may_come_after_another(station: Station, time: str) -> None:
    from flawsight.station.rest import make_app

    del time
    with testclient.TestClient(make_app(station), base_url="http://localhost") as client:
        assert client.get("/v1/bundles").json() and client.get("/healthz").is_success
        assert "inspect" in client.get("/openapi.json").text and "/page/" not in client.get("/openapi.json").text
        page = client.get("/sensitivity")
        assert page.is_success and "/page/assets/style.css" in page.text
        for path in (
            "/page/picture/nonsuch",
            "/page/assets/..%2fmount.py",
            "/page/report/nonsuch",
            "/page/thumbnail/x",
        ):
            assert client.get(path).status_code == 404, path
        assert client.get("/page/left-out/plates?height=90000&width=90000").content[:4] == b"\x89PNG"
        table = client.get("/page/history.csv")
        assert table.text.startswith("id,") and "attachment" in table.headers["content-disposition"]


def test_nicegui_is_loaded_only_for_the_page() -> None:
    code = (
        "import flawsight.station.rest, flawsight.station.page, sys; assert not {'nicegui', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
