"""Histories to write into, and entries to write."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flawsight.settings.station import HistoryOptions
from flawsight.station.history import Entry, History, Record, Watched, new_id


def make_entry(
    score: float | None = 1.0,
    *,
    bundle: str = "tiles",
    picture: bytes | None = None,
    thumbnail: bytes | None = b"thumbnail",
    heatmap: bytes | None = None,
    watched: Watched | None = None,
    name: str = "part.png",
    **more: object,
) -> Entry:
    """A record of a picture whose threshold is 2; an error where there is no score."""
    verdict = "error" if score is None else "defective" if score > 2 else "good"
    values = {
        "id": new_id(),
        "at": time.time(),
        "bundle": bundle,
        "bundle_digest": "d" * 64,
        "picture": name,
        "source": "rest",
        "sha256": hashlib.sha256(picture or b"").hexdigest(),
        "verdict": verdict,
        "size": None if score is None else (80, 96),
        "score": score,
        "p_value": None if score is None else 1 / (1 + score),
        "threshold": None if score is None else 2.0,
        "reason": "it is cut short" if score is None else "",
        "regions": ({"box": [1, 2, 3, 4], "score": score},) if verdict == "defective" else (),
        "has_picture": picture is not None,
        "has_heatmap": heatmap is not None,
    }
    return Entry(Record(**(values | more)), thumbnail, heatmap, picture, watched)  # type: ignore[arg-type]


@pytest.fixture
def entry() -> Callable[..., Entry]:
    return make_entry


@pytest.fixture
def open_history(tmp_path: Path) -> Iterator[Callable[..., History]]:
    """Opens the history of this test, or one at another path; all are closed in the end."""
    opened: list[History] = []

    def of(path: Path | None = None, sinks: tuple[str, ...] = (), **options: object) -> History:
        found = History(HistoryOptions.of({"history": path or tmp_path / "kept" / "history.db", **options}), sinks)
        opened.append(found)
        return found

    yield of
    for one in opened:
        one.close()


@pytest.fixture
def history(open_history: Callable[..., History]) -> History:
    return open_history()
