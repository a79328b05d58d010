"""The real program, killed at any moment: no answered verdict is lost, no picture is inspected twice.

FLAWSIGHT_TEST_KILLS=20 kills it more often.
"""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from flawsight.monitoring import DriftAlarm
from flawsight.settings import HistoryOptions
from flawsight.station.history import History

KILLS = int(os.environ.get("FLAWSIGHT_TEST_KILLS", "2"))
PROGRAM = [sys.executable, "-c", "from flawsight.cli import main; main()"]
PICTURES = 30
"""Written into the folder in each life of the station."""


def served(folder: Path, plates: Path) -> tuple[subprocess.Popen[str], str]:
    options = {"watch": "camera", "done": "done", "csv": "verdicts.csv", "jsonl": "verdicts.jsonl"}
    command = [*PROGRAM, "serve", str(plates), "--port", "0", "--json", "--backend", "onnxruntime", "--threads", "1"]
    command += ["--history", str(folder / "history.db"), "--keep", "none"]
    for name, value in options.items():
        command += [f"--{name}", str(folder / value)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = process.stdout.readline()
        assert line, "the station did not start"
        text += line
    return process, json.loads(text)["address"]


def ask_until_it_is_gone(address: str, picture: bytes, answered: list[str]) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        while True:
            try:
                answer = client.post("/v1/inspect", content=picture)
            except httpx.HTTPError:
                return
            if answer.status_code == 200:
                assert answer.json()["kept"]
                answered.append(answer.json()["id"])


def drop(folder: Path, life: int, texture: Callable) -> None:
    for number in range(PICTURES):
        partial = folder / f"{life}-{number}.part"
        Image.fromarray(texture(1000 * life + number)).save(partial, "PNG")
        partial.rename(partial.with_suffix(".png"))


def settled(folder: Path, address: str, pictures: int) -> bool:
    try:
        waiting = list((folder / "camera").iterdir())
        text = httpx.get(f"{address}/metrics", timeout=10).text
    except httpx.HTTPError:
        return False
    return not waiting and "flawsight_unsent 0.0" in text and len(list((folder / "done").iterdir())) == pictures


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path, plates: Path, texture: Callable) -> None:
    (tmp_path / "camera").mkdir()
    picture = tmp_path / "rest.png"
    Image.fromarray(texture(1)).save(picture)
    answered: list[str] = []
    chance = random.Random(0)
    for life in range(KILLS + 1):
        process, address = served(tmp_path, plates)
        drop(tmp_path / "camera", life, texture)
        if life == KILLS:
            break
        clients = [
            threading.Thread(target=ask_until_it_is_gone, args=(address, picture.read_bytes(), answered))
            for _ in range(2)
        ]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.3, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for client in clients:
            client.join()
    total = (KILLS + 1) * PICTURES
    end = time.monotonic() + 120
    while not settled(tmp_path, address, total) and time.monotonic() < end:
        time.sleep(0.2)
    process.terminate()
    assert process.wait(60) == 0
    history = History(HistoryOptions.of({"history": tmp_path / "history.db"}))
    records = history.latest(10**6)
    drift = history.drift("plates")
    history.close()
    assert drift is not None and DriftAlarm.from_json(drift.state).seen == len(records)  # each once, like the verdicts
    ids = [record.id for record in records]
    watched = Counter(record.picture for record in records if record.source == "watch")
    assert answered and set(answered) <= set(ids) and len(set(ids)) == len(ids)
    assert watched == Counter(f"{life}-{number}.png" for life in range(KILLS + 1) for number in range(PICTURES))
    table = [row["id"] for row in csv.DictReader((tmp_path / "verdicts.csv").open(encoding="utf-8"))]
    lines = [json.loads(line)["id"] for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    assert Counter(table) == Counter(lines) == Counter(ids)
    assert len(list((tmp_path / "done").iterdir())) == total and not list((tmp_path / "camera").iterdir())
    print(f"{KILLS} kills, {total} watched pictures, {len(answered)} answers, {len(ids)} records")
