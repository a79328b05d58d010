"""The plug is really pulled: a search that is killed again and again ends as one that was left in peace."""

import json
import sys
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

LAYERS = "blocks.1.0.*,blocks.3.0.*"
KILLS = 3
USED = ["flawsight.detectors", "flawsight.features", "flawsight.selection"]
SEARCH = f"""
import json
import numpy as np
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.selection import LayerSelection, memory

memory.MOST_TOGETHER = 3  # several passes over the images, so that the plug may be pulled in one
rng = np.random.default_rng(11)
stripes = 120 + 50 * np.sin(np.arange(64) / 3 + rng.uniform(0, 6, (20, 1)))[:, None, :, None]
images = [*np.clip(stripes + rng.normal(0, 12, (20, 64, 64, 3)), 0, 255).astype(np.uint8)]
selection = LayerSelection(PatchCore(bank_size=60), {LAYERS!r}, "nsa,simple", seed=5)
selection.fit(Extractor(image_size=64, device="cpu"), images, folder, "these")
found = dict(
    choices=[vars(choice) for choice in selection.selected_],
    together={{kind: vars(figures) for kind, figures in selection.figures_.items()}},
    trials=[[t.stage, t.layer, {{k: vars(f) for k, f in t.figures.items()}}] for t in selection.trials_],
    rows=[{{**vars(row), "seconds": 0}} for row in selection.results()],
)
answer.write_text(json.dumps(found))
"""


def started(folder: Path, answer: Path) -> BaseProcess:
    """A process of its own, that was spared the imports: these take longer than the search."""
    context = get_context("forkserver")
    context.set_forkserver_preload(USED)
    process = context.Process(target=exec, args=(SEARCH, {"folder": folder, "answer": answer}))
    process.start()
    return process


def finished(process: BaseProcess, answer: Path) -> dict:
    process.join(120)
    assert process.exitcode == 0
    return json.loads(answer.read_text())


def trials(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("*.npz")}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_search_survives_kill_9(tmp_path: Path) -> None:
    killed, peaceful = tmp_path / "killed", tmp_path / "peaceful"
    undisturbed = started(peaceful, tmp_path / "peaceful.json")  # beside the others, to save time
    rng = np.random.default_rng(3)
    done: dict[str, tuple[int, bytes]] = {}
    for _ in range(KILLS):
        process = started(killed, tmp_path / "killed.json")
        # At a random moment after it has written one to four more trials, of twenty in all.
        wanted, pause = len(done) + rng.integers(1, 5), rng.uniform(0, 0.04)
        deadline = time.monotonic() + 120
        while len(list(killed.glob("*.npz"))) < wanted and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(pause)
        process.kill()
        process.join()
        assert process.exitcode == -9
        now = trials(killed)
        assert len(now) > len(done) and now.items() >= done.items()
        done = now
    assert not (tmp_path / "killed.json").exists()
    found = finished(started(killed, tmp_path / "killed.json"), tmp_path / "killed.json")
    assert found == finished(undisturbed, tmp_path / "peaceful.json")
    assert trials(killed).items() >= done.items()
    assert len(trials(killed)) == len(found["trials"]) > len(done)
