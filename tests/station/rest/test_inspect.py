"""POST /v1/inspect: the verdict is the inspector's, whichever way the picture comes."""

import base64
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import flawsight as fs
from flawsight.data import InMemory
from flawsight.station import Station
from flawsight.station.history import NotKept

Make = Callable[..., Any]
RAW = {"Content-Type": "image/png"}


def test_it_says_what_the_inspector_says(client: TestClient, station: Station, plates: Path, bad_png: bytes) -> None:
    expected = fs.load(plates).inspect(InMemory("a.png", bad_png))
    answer = client.post("/v1/inspect?name=a.png", content=bad_png, headers=RAW)
    assert answer.status_code == 200
    body = answer.json()
    assert body["verdict"] == "defective" and body["score"] == pytest.approx(expected.score)
    assert body["p_value"] == expected.p_value and body["threshold"] == fs.load(plates).threshold
    assert body["regions"] == [region.to_dict() | {"box": list(region.box)} for region in expected.regions]
    assert (body["height"], body["width"], body["kept"], body["heatmap"]) == (80, 96, True, None)
    record = station.history.get(body["id"])
    assert record and record.score == body["score"] and record.picture == "a.png" and record.source == "rest"
    assert station.history.picture(body["id"]) == bad_png and station.history.thumbnail(body["id"])


def test_a_form_is_as_good_as_a_body(client: TestClient, bad_png: bytes, good_png: bytes) -> None:
    one = client.post("/v1/inspect", files={"file": ("C:\\x\\../b.png", bad_png, "image/png")}).json()
    other = client.post("/v1/inspect", content=bad_png).json()
    assert one["name"] == "b.png" and other["name"] == "picture-1"
    assert {**one, "id": "", "name": ""} == {**other, "id": "", "name": ""}
    assert client.post("/v1/inspect", content=good_png).json()["verdict"] == "good"


def test_heat_maps(client: TestClient, plates: Path, bad_png: bytes) -> None:
    inspector = fs.load(plates)
    expected = inspector.inspect(InMemory("a.png", bad_png)).anomaly_map
    raw = client.post("/v1/inspect?heatmap=float", content=bad_png).json()["heatmap"]
    values = np.frombuffer(base64.b64decode(raw["data"]), "<f4").reshape(raw["height"], raw["width"])
    assert np.allclose(values, expected, atol=1e-5)
    drawn = client.post("/v1/inspect?heatmap=1", content=bad_png).json()["heatmap"]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(drawn["data"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (drawn["height"], drawn["width"], 4) == (80, 96, 4)
    covered = pixels[..., 3] > 140  # the threshold's colour covers 55 %
    assert (covered ^ (expected > inspector.threshold)).mean() < 0.01


def test_several_at_once_keep_their_order(client: TestClient, good_png: bytes, bad_png: bytes) -> None:
    files = [("file", (f"{n}.png", data)) for n, data in enumerate([good_png, bad_png, b"no picture", good_png])]
    results = client.post("/v1/inspect-many", files=files).json()["results"]
    assert [one["name"] for one in results] == ["0.png", "1.png", "2.png", "3.png"]
    assert [one.get("verdict") for one in results] == ["good", "defective", None, "good"]
    assert results[2]["problem"]["status"] == 422 and "2.png is not a PNG" in results[2]["problem"]["detail"]


def test_a_bundle_is_chosen_by_name(
    make_station: Callable[..., Station],
    make_client: Callable[..., TestClient],
    plates: Path,
    tmp_path: Path,
    bad_png: bytes,
) -> None:
    lids = Path(shutil.copytree(plates, tmp_path / "lids"))
    station = make_station(bundles=(plates, lids), bundle="lids")
    station.bundles.set_threshold("lids", 1000.0, "A. Smith", "a test")
    client = make_client(station)
    assert client.post("/v1/inspect", content=bad_png).json()["bundle"] == "lids"
    assert client.post("/v1/inspect?bundle=lids", content=bad_png).json()["verdict"] == "good"
    assert client.post("/v1/inspect?bundle=plates", content=bad_png).json()["verdict"] == "defective"
    unknown = client.post("/v1/inspect?bundle=plate", content=bad_png)
    assert unknown.status_code == 404 and "plates" in unknown.json()["detail"]


BAD = {
    "empty": (b"", RAW, 400, "the body is empty"),
    "text": (b"hello", RAW, 422, "is not a PNG"),
    "cut short": (None, RAW, 422, "damaged or cut short"),
    "wrong content type": (b"{}", {"Content-Type": "application/json"}, 415, "'application/json' is no picture"),
    "curl's default": (b"x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "send it as image/png"),
    "compressed": (b"x", RAW | {"Content-Encoding": "gzip"}, 415, "without Content-Encoding"),
    "a form without a boundary": (b"x", {"Content-Type": "multipart/form-data"}, 400, "form cannot be read"),
    "a broken form": (b"--b\r\nx", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "form"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_bodies_get_a_problem_document(client: TestClient, good_png: bytes, case: str) -> None:
    body, headers, status, said = BAD[case]
    answer = client.post("/v1/inspect", content=good_png[:200] if body is None else body, headers=headers)
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert said in document["detail"] and document["status"] == status and document["title"]
    assert "Traceback" not in answer.text and "/flawsight/" not in answer.text


def test_forms_of_many_parts_are_refused(client: TestClient, good_png: bytes) -> None:
    many = [("file", (f"{n}.png", b"x")) for n in range(3000)]
    for path in ("/v1/inspect", "/v1/inspect-many"):
        answer = client.post(path, files=many)
        assert answer.status_code == 400 and "Too many files" in answer.json()["detail"]
    other = client.post("/v1/inspect", files={"picture": ("a.png", good_png)})
    assert other.status_code == 400 and "as its part 'file'" in other.json()["detail"]


def test_a_bomb_is_refused_by_its_header(make_station: Make, make_client: Make) -> None:
    data = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(data, "PNG")  # 144 megapixels in 18 kB
    answer = make_client(make_station(max_pixels=1_000_000)).post("/v1/inspect", content=data.getvalue())
    assert answer.status_code == 422 and "more than the 1,000,000 allowed" in answer.json()["detail"]


def test_what_is_too_much_is_refused_before_it_is_read(make_station: Make, make_client: Make, good_png: bytes) -> None:
    client = make_client(make_station(max_bytes=1000))
    assert client.post("/v1/inspect", content=bytes(1001)).status_code == 413

    def chunks():
        yield from [bytes(600)] * 3

    assert client.post("/v1/inspect", content=chunks()).status_code == 413


def test_a_full_queue_says_when_to_come_again(make_station: Make, make_client: Make, good_png: bytes) -> None:
    station = make_station(start=False, queue=2)
    waiting = [station.submit(good_png, f"{n}.png") for n in range(2)]
    answer = make_client(station).post("/v1/inspect", content=good_png)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    station.start()
    assert [future.result(30).record.verdict for future in waiting] == ["good", "good"]
    assert make_client(station).post("/v1/inspect", content=good_png).status_code == 200


def test_a_stopping_station_finishes_what_it_took(make_station: Make, make_client: Make, good_png: bytes) -> None:
    station = make_station()
    taken = [station.submit(good_png, f"{n}.png") for n in range(10)]
    client = make_client(station)
    assert client.get("/readyz").json() == {"status": "ready"}
    station.engine.stop()
    assert all(future.result(0).kept for future in taken)
    answer = client.post("/v1/inspect", content=good_png)
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert client.get("/readyz").status_code == 503 and client.get("/healthz").status_code == 200


def test_verdicts_go_on_when_nothing_can_be_kept(
    client: TestClient, station: Station, bad_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NotKept("the disk is full")

    monkeypatch.setattr(station.history, "add", full)
    answer = client.post("/v1/inspect", content=bad_png).json()
    assert answer["verdict"] == "defective" and answer["kept"] is False
    assert client.get("/v1/history").json()["records"] == []
