"""Every client sample against a real station; each is left out where it cannot be run."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

import flawsight as fs
from flawsight.inspection import Result

EXAMPLES = Path(__file__).parents[2] / "examples" / "station"
TOKEN = "0123456789abcdef0123"
Client = Callable[..., subprocess.CompletedProcess]


def needed(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def curl(_: Path) -> list[str]:
    needed("sh")
    needed("curl")
    return ["sh", str(EXAMPLES / "inspect.sh")]


def python(_: Path) -> list[str]:
    return [sys.executable, "-I", str(EXAMPLES / "inspect_picture.py")]


def javascript(_: Path) -> list[str]:
    needed("node")
    return ["node", str(EXAMPLES / "inspect.mjs")]


def csharp(folder: Path) -> list[str]:
    needed("dotnet")
    source = Path(shutil.copytree(EXAMPLES / "csharp", folder / "source"))
    done = subprocess.run(
        ["dotnet", "build", "-c", "Release", "-o", folder / "built", source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return ["dotnet", str(folder / "built" / "inspect.dll")]


@pytest.fixture(scope="module", params=[curl, python, javascript, csharp], ids=lambda make: make.__name__)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Run the sample: `client(station, picture)`; the token is in the environment."""
    command = request.param(tmp_path_factory.mktemp("client"))

    def call(*arguments: object, token: str | None = TOKEN) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if name != "FLAWSIGHT_TOKEN"}
        environment |= {"FLAWSIGHT_TOKEN": token} if token else {}
        words = [*command, *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=120)

    return call


@pytest.fixture(scope="module")
def station(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a station with a token, in a process of its own."""
    folder = tmp_path_factory.mktemp("station")
    (folder / "token").write_text(f"{TOKEN}\n")
    options = ["--port", "0", "--history", folder / "history.db", "--token-file", folder / "token", "--threads", "1"]
    command = [sys.executable, "-c", "from flawsight.cli import main; main()", "serve", bundle, *options, "--json"]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.strip() == "}":
            break
    yield json.loads(text)["address"]
    process.terminate()
    assert process.wait(60) == 0


@pytest.fixture(scope="module")
def pictures(texture: Callable, spoiled: Callable, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Good and defective, with names that have to be quoted."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, image in (("good.png", texture(700)), ("spot & ü.png", spoiled(701))):
        Image.fromarray(image).save(folder / name)
    return [folder / "good.png", folder / "spot & ü.png"]


def check(done: subprocess.CompletedProcess, expected: Result) -> None:
    assert done.returncode == int(expected.is_defective), done.stderr
    first, *regions = done.stdout.splitlines()
    verdict, score = first.split()
    assert verdict == expected.verdict and float(score) == pytest.approx(expected.score, abs=2e-3)
    assert len(regions) == len(expected.regions)
    for line, region in zip(regions, expected.regions, strict=True):
        word, *fields = line.split()
        found = {name: float(value) for name, value in (field.split("=") for field in fields)}
        assert word == "region" and found.pop("area") == pytest.approx(region.to_dict()["area_px"], abs=0.11)
        assert list(found.values()) == list(region.to_dict()["box"])


def test_answers_are_those_of_the_inspector(client: Client, station: str, bundle: Path, pictures: list[Path]) -> None:
    inspector = fs.load(bundle)
    found = [inspector.inspect(picture) for picture in pictures]
    assert [one.verdict for one in found] == ["good", "defective"]
    for picture, expected in zip(pictures, found, strict=True):
        check(client(station, picture), expected)


def test_errors_are_said(client: Client, station: str, pictures: list[Path], tmp_path: Path) -> None:
    (tmp_path / "none.png").write_bytes(b"this is no picture")
    cases = [
        (client(station, pictures[0], token="wrong" * 5), "401"),
        (client(station, pictures[0], token=None), "401"),
        (client(station, tmp_path / "none.png"), "422"),
        (client(station, tmp_path / "missing.png"), "missing.png"),
        (client("http://127.0.0.1:9", pictures[0]), ""),
        (client(station), "usage"),
    ]
    for done, words in cases:
        assert done.returncode == 2 and done.stdout == "" and words in done.stderr, done
        assert 0 < len(done.stderr.strip().splitlines()) <= 2 and "Traceback" not in done.stderr
    assert "token" in cases[0][0].stderr and "is not a" in cases[2][0].stderr


@pytest.fixture
def busy() -> Iterator[tuple[str, list[float]]]:
    """A station that has too much to do at first; and when it was asked."""
    import time

    asked: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(time.monotonic())
            is_busy = len(asked) <= 2
            answer = {"detail": "busy"} if is_busy else {"verdict": "good", "score": 1.5, "regions": []}
            data = json.dumps(answer).encode()
            self.send_response(429 if is_busy else 200)
            if is_busy:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Type", "application/problem+json" if is_busy else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def test_a_busy_station_is_asked_again_when_it_says(client: Client, busy: tuple, pictures: list[Path]) -> None:
    address, asked = busy
    done = client(address, pictures[0])
    assert done.returncode == 0 and done.stdout == "good 1.500\n", done
    assert len(asked) == 3 and all(later - one >= 0.99 for one, later in pairwise(asked))


def test_samples_use_no_packages() -> None:
    assert "PackageReference" not in (EXAMPLES / "csharp" / "inspect.csproj").read_text(encoding="utf-8")
    imports = [line for line in (EXAMPLES / "inspect.mjs").read_text(encoding="utf-8").splitlines() if " from " in line]
    assert all('from "node:' in line for line in imports if line.startswith("import"))
