"""The pictures of docs/station-page.md: `python docs/images/station/make.py DATA WORK`.

DATA holds the data sets `cookie` and `kolektorsdd_tiles` in MVTec's layout; in WORK the bundles are fitted, once.
"""

import random
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from flawsight.settings import ServeSettings
from flawsight.station import Station
from flawsight.station.rest import make_app

HERE = Path(__file__).parent
# The fit's own report says of this one that it is unlike the others: another cookie reaches into it.
ODD = "normal-31.jpg"
SETS = {"cookies": ("cookie", "0.05"), "commutators": ("kolektorsdd_tiles", "0.01")}


def fitted(data: Path, work: Path) -> list[Path]:
    """The two bundles, fresh from their fit."""
    from flawsight import FitSettings, run_fit

    found = []
    for name, (folder, rate) in SETS.items():
        kept, bundle = work / "fitted" / name, work / "run" / name
        if not kept.exists():
            good = work / "good" / name
            shutil.copytree(data / folder / "train" / "good", good, ignore=shutil.ignore_patterns(ODD))
            run_fit(FitSettings.of({"good": good, "out": kept, "false_alarm_rate": rate}))
        shutil.rmtree(bundle, ignore_errors=True)
        found.append(Path(shutil.copytree(kept, bundle)))
    return found


@contextmanager
def running(bundles: list[Path], work: Path) -> Iterator[tuple[Station, str]]:
    """A station with an empty history, and where it is."""
    history = work / "run" / "history.db"
    for path in history.parent.glob("history*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    station = Station(ServeSettings.of({"bundles": bundles, "history": history, "keep": "all", "good": work / "good"}))
    station.start()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(station), log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    yield station, f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    station.stop()


def pictures(data: Path, name: str, good: int, defective: int) -> list[tuple[Path, str]]:
    """A day at the line: pictures with what they are, in the order of chance."""
    folder = data / SETS[name][0] / "test"
    passed = [(path, "good") for path in sorted((folder / "good").iterdir())[:good]]
    spoilt = [path for kind in sorted(folder.iterdir()) if kind.name != "good" for path in sorted(kind.iterdir())]
    day = passed + [(path, "defective") for path in spoilt[:defective]]
    random.Random(4).shuffle(day)
    return day


def inspect(station: Station, bundle: str, path: Path) -> Any:
    """The record of a picture that the station was given."""
    return station.submit(path.read_bytes(), path.name, bundle, "watch").result(60).record


def save(tab: Page, name: str) -> None:
    """A screenshot in few colours: a picture of a page needs no more."""
    tab.wait_for_timeout(900)
    path = HERE / f"{name}.png"
    tab.screenshot(path=path)
    picture = Image.open(path).convert("RGB")
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def drag(tab: Page, pixels: int) -> None:
    """Take the line of Sensitivity and move it."""
    place = tab.locator(".histogram .q-slider__thumb").bounding_box()
    assert place
    x, y = place["x"] + place["width"] / 2, place["y"]
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + pixels, y, steps=8)
    tab.mouse.up()


def draw(tab: Page, corners: list[tuple[float, float]]) -> None:
    """Click a polygon on Region, and close it."""
    box = tab.locator(".stage").bounding_box()
    assert box
    for x, y in corners:
        tab.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        tab.wait_for_timeout(150)
    tab.locator("h1").first.click()
    tab.keyboard.press("Enter")


def shoot(open_tab: Any, station: Station, data: Path) -> None:
    """All pages, one after the other."""
    days = {"cookies": pictures(data, "cookies", 14, 12), "commutators": pictures(data, "commutators", 110, 30)}
    found: dict[str, list[tuple[float, Path]]] = {name: [] for name in days}
    for name, day in days.items():
        for number, (path, label) in enumerate(day):
            record = inspect(station, name, path)
            found[name].append((record.score, path))
            if number % 5 and (label == "defective" or record.verdict == "defective" or number % 2):
                station.history.mark(record.id, label, "A. Smith")
    inspect(station, "cookies", max(found["cookies"])[1])
    save(open_tab("/?bundle=cookies"), "live")
    inspect(station, "commutators", max(found["commutators"])[1])
    save(open_tab("/?bundle=commutators", "dark"), "live-dark")
    save(open_tab("/review?bundle=commutators", height=1000), "review")
    threshold = station.bundles.get("commutators").inspector.threshold
    station.bundles.set_threshold("commutators", threshold * 1.04, "A. Smith", "dust on the lens, until it is cleaned")
    station.bundles.restore("commutators", 0, "B. Jones", "the lens is clean")
    tab = open_tab("/sensitivity?bundle=commutators", height=1100)
    tab.wait_for_timeout(500)
    drag(tab, -170)
    save(tab, "sensitivity")
    tab = open_tab("/region?bundle=cookies")
    tab.wait_for_timeout(500)
    draw(tab, [(0.001, 0.001), (0.999, 0.001), (0.999, 0.1), (0.001, 0.13)])
    draw(tab, [(0.001, 0.8), (0.2, 0.9), (0.24, 0.999), (0.001, 0.999)])
    save(tab, "region")
    save(open_tab("/model?bundle=cookies", height=1000), "model")


def main(data: Path, work: Path) -> None:
    """Fit, run, look."""
    with running(fitted(data, work), work) as (station, url), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        def open_tab(path: str, scheme: Any = "light", height: int = 720) -> Page:
            context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=scheme)
            context.add_cookies([{"name": "flawsight_name", "value": "A.%20Smith", "url": url}])
            tab = context.new_page()
            tab.goto(url + path)
            tab.wait_for_selector(".page")
            return tab

        shoot(open_tab, station, data)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
