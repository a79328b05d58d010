"""GET /v1/history: pages, pictures, marks and tables."""

import csv
import io

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from PIL import Image


@pytest.fixture
def ids(client: TestClient, good_png: bytes, bad_png: bytes) -> list[str]:
    return [client.post("/v1/inspect", content=data).json()["id"] for data in [good_png, bad_png] * 3]


def test_pages_go_back_in_time(client: TestClient, ids: list[str]) -> None:
    found, before = [], ""
    while True:
        page = client.get(f"/v1/history?limit=4{before}").json()
        found += [one["id"] for one in page["records"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert found == ids[::-1]
    defective = client.get("/v1/history?verdict=defective").json()["records"]
    assert [one["id"] for one in defective] == ids[::-1][::2]
    assert client.get("/v1/history?bundle=other").json()["records"] == []


def test_what_is_kept_of_a_picture(client: TestClient, ids: list[str], bad_png: bytes) -> None:
    bad = ids[1]
    assert client.get(f"/v1/history/{bad}").json()["verdict"] == "defective"
    small = client.get(f"/v1/history/{bad}/thumbnail")
    assert small.headers["content-type"] == "image/jpeg" and Image.open(io.BytesIO(small.content)).size == (96, 80)
    assert Image.open(io.BytesIO(client.get(f"/v1/history/{bad}/heatmap").content)).mode == "RGBA"
    assert client.get(f"/v1/history/{bad}/picture").content == bad_png
    assert client.get(f"/v1/history/{'0' * 32}").status_code == 404
    assert client.get("/v1/history/..%2F..%2Fetc/picture").status_code == 404
    assert client.get("/v1/history/x").status_code == 422


def test_marks(client: TestClient, ids: list[str]) -> None:
    marked = client.post(f"/v1/history/{ids[1]}/mark", json={"label": "good", "by": "A. Smith"}).json()
    assert marked["mark"] == "good" and marked["marked_by"] == "A. Smith"
    assert [one["id"] for one in client.get("/v1/history?mark=good").json()["records"]] == [ids[1]]
    assert client.post(f"/v1/history/{ids[1]}/mark", json={"label": None, "by": "A. Smith"}).json()["mark"] is None
    assert client.post(f"/v1/history/{ids[1]}/mark", json={"label": "so so", "by": "A"}).status_code == 422


def test_tables(client: TestClient, ids: list[str]) -> None:
    table = client.get("/v1/history/table")
    assert "history.csv" in table.headers["content-disposition"]
    assert [row["id"] for row in csv.DictReader(io.StringIO(table.text))] == ids
    parquet = client.get("/v1/history/table?format=parquet").content
    assert pd.read_parquet(io.BytesIO(parquet))["id"].tolist() == ids


def test_status_and_metrics(client: TestClient, ids: list[str]) -> None:
    status = client.get("/v1/status").json()
    assert status["inspected"] == {"good": 3, "defective": 3, "error": 0} and status["problems"] == []
    text = client.get("/metrics").text
    assert 'flawsight_inspections_total{bundle="plates",verdict="defective"} 3.0' in text
    assert "flawsight_waiting 0.0" in text
