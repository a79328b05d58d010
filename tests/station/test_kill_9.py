"""SIGKILL at any moment of watching, keeping and handing over: nothing is lost, and nothing is there twice."""

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
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flawsight.settings.station import HistoryOptions
from flawsight.station.history import History

SCRIPT = Path(__file__).with_name("killed.py")
KILLS = int(os.environ.get("FLAWSIGHT_TEST_KILLS", "4"))
EACH = 25
PATIENCE = 60.0


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[str]]]:
    """A webhook that fails now and then, and the keys of what it took."""
    taken: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if len(body) < int(self.headers["Content-Length"]):  # killed while it sent
                return
            document = json.loads(body)
            is_fine = random.random() > 0.05
            if is_fine:
                assert document["id"] == self.headers["Idempotency-Key"]
                taken.append(document["id"])
            self.send_response(204 if is_fine else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Whoever is killed says no goodbye."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/verdicts", taken
    server.shutdown()
    server.server_close()


def run(root: Path, url: str, done: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), str(root), url, done]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    return process


def drop(folder: Path, numbers: range) -> None:
    """As cameras do: some write slowly, some rename, in turn."""
    for number in numbers:
        picture = b"\x89PNG" + f"picture {number} ".encode() * random.randint(1, 2000)
        if number % 2:
            (folder / f"{number}.png.part").write_bytes(picture)
            (folder / f"{number}.png.part").rename(folder / f"{number}.png")
        else:
            (folder / f"{number}.png").write_bytes(picture)
        time.sleep(random.uniform(0, 0.01))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it does not come to an end"
        time.sleep(0.05)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("done", ["done", "stay"])
def test_nothing_lost_and_nothing_twice(tmp_path: Path, receiver: tuple[str, list[str]], done: str) -> None:
    url, taken = receiver
    (tmp_path / "in").mkdir()
    for kill in range(KILLS):
        process = run(tmp_path, url, done)
        camera = threading.Thread(target=drop, args=(tmp_path / "in", range(kill * EACH, (kill + 1) * EACH)))
        camera.start()
        time.sleep(random.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        camera.join()
    count = KILLS * EACH
    process = run(tmp_path, url, done)
    try:
        until(lambda: len(set(taken)) >= count)
        until(lambda: (tmp_path / "out.jsonl").read_text().count("\n") >= count)
        until(lambda: (tmp_path / "out.csv").read_text().count("\n") >= count + 1)
        if done == "done":
            until(lambda: not names(tmp_path / "in"))
        time.sleep(0.3)  # for what comes twice
    finally:
        process.kill()
        process.wait()
    expected = sorted(f"{number}.png" for number in range(count))
    assert names(tmp_path / ("done" if done == "done" else "in")) == expected

    history = History(HistoryOptions(history=tmp_path / "history.db"))
    records = history.latest(10 * count)
    history.close()
    assert sorted(record.picture for record in records) == expected
    ids = Counter(record.id for record in records)
    with (tmp_path / "out.csv").open(newline="") as file:
        assert Counter(row["id"] for row in csv.DictReader(file)) == ids
    assert Counter(json.loads(line)["id"] for line in (tmp_path / "out.jsonl").open()) == ids
    assert set(taken) == set(ids)
    print(f"{KILLS} kills, {count} pictures: {len(taken)} posts for {count} ids")
