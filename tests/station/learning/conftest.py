"""A bundle with a history of marked pictures, and fits that are none."""

import hashlib
import json
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.settings import GraphOptions, HistoryOptions, ServeSettings
from flawsight.station.bundles import Bundles as StationBundles
from flawsight.station.bundles import Loaded
from flawsight.station.history.history import History
from flawsight.station.history.record import Entry, Record, new_id
from flawsight.station.learning import Learning, LearningState


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


class Bundles(StationBundles):
    """Those of a station, which may be unable to read one again."""

    is_broken = False

    def __init__(self, *folders: Path) -> None:
        super().__init__(folders, GraphOptions(backend="onnxruntime", threads=1))

    def reload(self, name: str | None = None) -> Loaded:
        if self.is_broken:
            raise FlawsightError("cannot be loaded")
        return super().reload(name)


@pytest.fixture
def part(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, whose fit searches nothing."""
    copy = Path(shutil.copytree(bundle, tmp_path / "bundles" / "part"))
    manifest = json.loads((copy / "inspector.json").read_text())
    manifest["settings"] |= {"layers": "all", "fixed_layers": [["blocks.1.0.bn3"]]}
    (copy / "inspector.json").write_text(json.dumps(manifest))
    return copy


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = History(HistoryOptions(history=tmp_path / "station" / "history.db", keep="all"))
    yield found
    found.close()


@pytest.fixture
def add(history: History) -> Callable[..., Record]:
    """Keep a picture in the history, marked if a label is given."""

    def keep(image: np.ndarray, label: str | None = None, bundle: str = "part") -> Record:
        data = png(image)
        record = Record(
            id=new_id(), at=time.time(), bundle=bundle, bundle_digest="0" * 64, picture="x.png", source="rest",
            sha256=hashlib.sha256(data).hexdigest(), verdict="defective", size=image.shape[:2], score=1.0, p_value=0.1,
            threshold=0.5, has_picture=True,
        )  # fmt: skip
        history.add([Entry(record, picture=data)])
        return history.mark(record.id, label, "Ann") if label else record

    return keep


@pytest.fixture
def marked(add: Callable, texture: Callable, spoiled: Callable) -> list[Record]:
    """12 pictures marked good and 4 marked defective, and 2 that nobody marked."""
    found = [add(texture(seed), "good") for seed in range(1000, 1012)]
    found += [add(spoiled(seed), "defective") for seed in range(2000, 2004)]
    return [*found, *(add(texture(seed)) for seed in range(3000, 3002))]


@pytest.fixture
def program(tmp_path: Path, bundle: Path) -> Callable[[str], Path]:
    """A `flawsight` of somebody else's making: Python that has `arguments`, `out` and `bundle`."""

    def make(code: str) -> Path:
        path = tmp_path / "fake" / "flawsight"
        path.parent.mkdir(exist_ok=True)
        head = f"#!{sys.executable}\nimport sys, time, shutil, pathlib\narguments = sys.argv[1:]\n"
        head += f"out = pathlib.Path(arguments[arguments.index('--out') + 1])\nbundle = pathlib.Path({str(bundle)!r})\n"
        path.write_text(head + code)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


@pytest.fixture
def learning(history: History, part: Path, good_dir: Path, tmp_path: Path) -> Iterator[Callable[..., Learning]]:
    """Learning of a station with this program; what it began ends with the test."""
    made: list[Learning] = []

    def make(fit_with: Path | None = None, **options: object) -> Learning:
        bundles = options.pop("of", None) or Bundles(part)
        settings = ServeSettings.of(
            {"bundles": part, "history": tmp_path / "station" / "history.db", "good": good_dir, "fit_with": fit_with}
            | options
        )
        made.append(Learning(settings, history, bundles))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait(
    learning: Learning, bundle: str = "part", until: Callable[[LearningState], bool] | None = None
) -> LearningState:
    """The state when it runs no more, or is as asked."""
    for _ in range(3000):
        state = learning.state(bundle)
        if until(state) if until else state.kind != "running":
            return state
        time.sleep(0.1)
    raise AssertionError(f"it does not end: {learning.state(bundle)}")
