"""The program: it says where it is when it answers, ends by a signal, and refuses what it cannot do."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

PROGRAM = [sys.executable, "-c", "from flawsight.cli import main; main()", "serve"]
NO_TORCH = "import sys; sys.modules['torch'] = None\nfrom flawsight.cli import main; main()"

IMPATIENT = """from flawsight.station import patience
patience.SECONDS_FOR_HEADERS = 2
from flawsight.cli import main
main()"""


@pytest.fixture
def start(plates: Path, tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Stations as processes; their address as they print it."""
    made = []

    def go(*options: object, code: str = PROGRAM[2]) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", code, "serve", plates, "--port", 0, "--json", "--threads", 1, *options]
        command += ["--history", tmp_path / "h" / "history.db"]
        process = subprocess.Popen([str(one) for one in command], stdout=subprocess.PIPE, text=True)
        made.append(process)
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, "it did not start"
            text += line
        return process, json.loads(text)["address"]

    yield go
    for process in made:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_without_torch_and_ends_by_a_signal(
    start: Callable, bad_png: bytes, tmp_path: Path, number: signal.Signals
) -> None:
    process, address = start("--csv", tmp_path / "verdicts.csv", code=NO_TORCH)
    with httpx.Client(base_url=address) as client:  # its connection stays open
        answer = client.post("/v1/inspect", content=bad_png).json()
        assert answer["verdict"] == "defective" and answer["kept"]
        assert client.get("/").status_code == 200  # the page
        process.send_signal(number)
        assert process.wait(60) == 0
    assert answer["id"] in (tmp_path / "verdicts.csv").read_text()


def test_a_folder_is_watched(start: Callable, texture: Callable, spoiled: Callable, tmp_path: Path) -> None:
    (tmp_path / "camera").mkdir()
    folders = ("--watch", tmp_path / "camera", "--done", tmp_path / "done")
    process, address = start(*folders, "--jsonl", tmp_path / "out.jsonl")
    Image.fromarray(texture(100)).save(tmp_path / "camera" / "a.png")
    Image.fromarray(spoiled(200)).save(tmp_path / "camera" / "b.png")
    (tmp_path / "camera" / "c.png").write_bytes(b"no picture")
    end = time.monotonic() + 60
    while len(list((tmp_path / "done").glob("*"))) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    records = httpx.get(f"{address}/v1/history").json()["records"]
    verdicts = {one["picture"]: one["verdict"] for one in records}
    assert verdicts == {"a.png": "good", "b.png": "defective", "c.png": "error"}
    process.terminate()
    assert process.wait(60) == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3


def test_slow_clients_are_let_go_and_hold_up_nobody(start: Callable, good_png: bytes) -> None:
    _, address = start("--timeout", 2, code=IMPATIENT)
    host, _, port = address.removeprefix("http://").partition(":")
    head = b"POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n"
    slow = [socket.create_connection((host, int(port))) for _ in range(30)]
    for number, one in enumerate(slow):
        one.sendall(head[: 20 if number % 2 else None] + (b"" if number % 2 else b"\r\nabc"))
    assert httpx.post(f"{address}/v1/inspect", content=good_png).json()["verdict"] == "good"
    for number, one in enumerate(slow):
        one.settimeout(20)
        answer = one.recv(4096)
        assert (b" 408 " in answer) if number % 2 == 0 else answer in (b"", answer)
        one.close()
    assert httpx.get(f"{address}/healthz").status_code == 200


def test_a_port_that_is_taken_is_said(plates: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = refused("--port", port, plates, "--history", tmp_path / "history.db")
    assert f"cannot listen on 127.0.0.1:{port}" in done


def test_what_cannot_be_served_is_said(plates: Path, tmp_path: Path) -> None:
    history = ("--history", tmp_path / "history.db", "--port", 0)
    assert "give --token-file" in refused("--host", "0.0.0.0", plates, *history)
    assert "is no bundle" in refused(tmp_path / "nothing", *history)
    assert "unknown bundle 'lids'" in refused(plates, "--bundle", "lids", *history)
    assert "unknown bundle 'lids'" in refused(plates, "--watch", f"lids={tmp_path}", *history)
    twice = ("--watch", tmp_path / "a", "--watch", tmp_path / "b" / ".." / "a")
    assert "are one folder" in refused(plates, *twice, *history)
    broken = Path(shutil.copytree(plates, tmp_path / "broken"))
    (broken / "model.onnx").write_bytes(b"x")
    assert "model.onnx has changed" in refused(broken, *history)


def test_one_station_has_the_history(start: Callable, plates: Path, tmp_path: Path) -> None:
    start()
    said = refused(plates, "--port", 0, "--history", tmp_path / "h" / "history.db")
    assert "history.db" in said and "another station" in said


def refused(*options: object) -> str:
    done = subprocess.run([*PROGRAM, *map(str, options)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    return done.stderr
