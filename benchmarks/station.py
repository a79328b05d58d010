"""32 programs ask the station at once; beside it the bare runtime on the same pictures, in the same run.

    python -m benchmarks station --data DATA [--bundle BUNDLE] [--requests 5000] [--clients 32] [--queue 64]

Without --bundle one is fitted on DATA/magnetic_tile, at 128 pixels. Every answer is compared with the bare runtime's of
that picture, and the history at the end with all answers. `--queue 8` shows what happens when more is asked than can be
done.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.data import IMAGE_SUFFIXES, InMemory, read_image
from flawsight.runtime import load

PICTURES = 200
FLAWSIGHT = (sys.executable, "-c", "from flawsight.cli import main; main()")
SECONDS_BETWEEN_LOOKS = 0.25


@dataclass
class Told:
    """What all clients saw."""

    ids: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    client_ms: float = 0.0
    server_ms: float = 0.0


def main(arguments: list[str] | None = None) -> None:
    options = parsed(arguments)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        bundle = options.bundle or fitted(options.data / "magnetic_tile", work)
        folder = options.pictures or options.data / "magnetic_tile" / "test"
        paths = sorted(path for path in folder.rglob("*.*") if path.suffix in IMAGE_SUFFIXES)
        good = [path for path in paths if path.parent.name == "good"]
        bad = [path for path in paths if path.parent.name != "good"]
        n_bad = round(PICTURES * options.defective)
        paths = drawn(bad, n_bad) + drawn(good, PICTURES - n_bad)
        np.random.default_rng(0).shuffle(paths)
        files = [(f"{number}{path.suffix}", path.read_bytes()) for number, path in enumerate(paths)]
        before = bare(bundle, files)
        told, memory, wall, cold = served(bundle, files, before["scores"], options, work)
        after = bare(bundle, files)
    rate = statistics.mean([before["rate"], after["rate"]])
    show(options, told, memory, wall, cold, rate)
    if told.wrong or len(set(told.ids)) != options.requests:
        sys.exit("answers are wrong or lost: " + "; ".join(told.wrong[:5]))


def drawn(paths: list[Path], count: int) -> list[Path]:
    return [paths[at] for at in np.linspace(0, len(paths) - 1, count).astype(int)] if count else []


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--defective", type=float, default=0.1, help="share of the pictures that are defective")
    parser.add_argument("--keep", default="stopped")
    return parser.parse_args(arguments)


def fitted(data: Path, work: Path) -> Path:
    command = [*FLAWSIGHT, "fit", str(data), "--image-size", "128", "--out", str(work / "bundle")]
    subprocess.run(command, check=True)
    return work / "bundle"


def bare(bundle: Path, files: list[tuple[str, bytes]]) -> dict[str, Any]:
    """Pictures a second of `load` and `inspect`, from the same bytes, in a process of its own; and the scores."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_bare, (bundle, files))


def _bare(bundle: Path, files: list[tuple[str, bytes]]) -> dict[str, Any]:
    inspector = load(bundle)
    pixels = inspector.manifest.data.pixels
    scores, best = {}, 0.0
    for way in ("warm-up", "one by one", "eight at once"):
        start = time.perf_counter()
        if way == "eight at once":
            for part in itertools.batched(files, 8) if sys.version_info >= (3, 12) else _batched(files, 8):
                list(inspector.inspect_many([read_image(InMemory(*one), pixels=pixels) for one in part]))
        else:
            for name, data in files:
                scores[name] = inspector.inspect(InMemory(name, data)).score
        if way != "warm-up":
            best = max(best, len(files) / (time.perf_counter() - start))
    return {"rate": best, "scores": scores}


def _batched(files: list[tuple[str, bytes]], size: int) -> list[list[tuple[str, bytes]]]:
    return [files[at : at + size] for at in range(0, len(files), size)]


def served(
    bundle: Path, files: list[tuple[str, bytes]], scores: dict[str, float], options: argparse.Namespace, work: Path
) -> tuple[Told, list[float], float, float]:
    """What the clients were told, the server's memory in MiB over time, seconds for all, and to the first verdict."""
    start = time.perf_counter()
    command = [*FLAWSIGHT, "serve", str(bundle), "--port", "0", "--json"]
    command += ["--history", str(work / "history.db"), "--queue", str(options.queue), "--keep", options.keep]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        text = "".join(iter(lambda: server.stdout.readline().rstrip("\n"), "}"))  # type: ignore[union-attr]
        host = json.loads(text + "}")["address"].removeprefix("http://")
        ask(http.client.HTTPConnection(host), *files[0])
        cold = time.perf_counter() - start
        told, memory, wall = asked(host, server.pid, files, scores, options)
        kept = _history(host)
    finally:
        server.terminate()
        server.wait(60)
    if missing := set(told.ids) - kept:
        told.wrong.append(f"{len(missing)} answers are not in the history")
    if len(kept) != options.requests + 1:
        told.wrong.append(f"the history holds {len(kept)} records")
    return told, memory, wall, cold


def asked(
    host: str, server: int, files: list[tuple[str, bytes]], scores: dict[str, float], options: argparse.Namespace
) -> tuple[Told, list[float], float]:
    """What all clients were told, the server's memory meanwhile, and the seconds that it took."""
    told, memory, done, numbers = Told(), list[float](), threading.Event(), itertools.count()
    watching = threading.Thread(target=_watch, args=(server, memory, done))
    given = (host, files, scores, numbers, options.requests, told)
    clients = [threading.Thread(target=_client, args=given) for _ in range(options.clients)]
    watching.start()
    begun, spent, served = time.perf_counter(), time.process_time(), _processor_seconds(server)
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    wall = time.perf_counter() - begun
    told.client_ms = 1000 * (time.process_time() - spent) / options.requests
    told.server_ms = 1000 * (_processor_seconds(server) - served) / options.requests
    done.set()
    watching.join()
    return told, memory, wall


def ask(connection: http.client.HTTPConnection, name: str, data: bytes) -> tuple[int, dict[str, Any], float]:
    connection.request("POST", f"/v1/inspect?name={name}", data, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    body = json.loads(response.read())
    return response.status, body, float(response.headers.get("Retry-After", 0))


def _client(
    host: str, files: list[tuple[str, bytes]], scores: dict[str, float], numbers: Any, most: int, told: Told
) -> None:
    connection = http.client.HTTPConnection(host, timeout=120)
    for number in iter(lambda: next(numbers), None):
        if number >= most:
            return
        name, data = files[number % len(files)]
        start = time.perf_counter()
        while (answer := ask(connection, name, data))[0] == 429:
            told.refused += 1
            time.sleep(answer[2])
        status, body, _ = answer
        told.seconds.append(time.perf_counter() - start)
        if status != 200 or body["name"] != name or abs(body["score"] - scores[name]) > 1e-3 * max(1, scores[name]):
            told.wrong.append(f"{name}: {status} {body}")
        else:
            told.ids.append(body["id"])


def _watch(pid: int, memory: list[float], done: threading.Event) -> None:
    while not done.wait(SECONDS_BETWEEN_LOOKS):
        memory.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20)


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _history(host: str) -> set[str]:
    connection, found, before = http.client.HTTPConnection(host, timeout=120), set[str](), ""
    while True:
        connection.request("GET", f"/v1/history?limit=1000{before}")
        page = json.loads(connection.getresponse().read())
        found |= {record["id"] for record in page["records"]}
        if not page["next"]:
            return found
        before = f"&before={page['next']}"


def show(options: argparse.Namespace, told: Told, memory: list[float], wall: float, cold: float, rate: float) -> None:
    seconds = sorted(told.seconds)
    middle, late = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    tenth = memory[len(memory) // 10 : len(memory) // 10 + 1] or [float("nan")]
    asked = f"{options.clients} clients, {options.requests} requests, queue of {options.queue}"
    print(f"{asked}, keep {options.keep}, {options.defective:.0%} of the pictures defective")
    print(f"answers: {len(told.ids)} right, {len(told.wrong)} wrong; 429: {told.refused}")
    reached = options.requests / wall
    print(f"pictures a second: {reached:.1f}; bare runtime {rate:.1f}; share {reached / rate:.2f}")
    print(f"milliseconds an answer: median {1000 * middle:.0f}, p99 {1000 * late:.0f}")
    print(f"milliseconds of a processor a picture: {told.server_ms:.1f} the station, {told.client_ms:.1f} the clients")
    print(f"memory in MiB: {tenth[0]:.0f} after a tenth, {memory[-1]:.0f} at the end, {max(memory):.0f} at most")
    print(f"cold start to the first verdict: {cold:.2f} s")


if __name__ == "__main__":
    try:
        main()
    except FlawsightError as error:
        sys.exit(str(error))
