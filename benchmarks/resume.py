"""Does a search that is killed again and again choose what an undisturbed one does, and make no trial twice?"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._inputs import files, textures, written
from benchmarks._measure import OURS_OVER_PEER, Row, Run
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.selection import LayerSelection
from flawsight.views import ImageCache

PEER = "the same search, undisturbed"


def run(run: Run) -> Iterator[Row]:
    """Kill the default search at random moments and start it again, until so many kills are done; then let it end."""
    kills, count, side = run.size((20, 40, 256), (3, 12, 64))
    with tempfile.TemporaryDirectory() as scratch:
        folder = written(textures(count, side, run.seed), Path(scratch, "good"))
        start = time.perf_counter()
        whole = finish(search(folder, side, run.seed, Path(scratch, "whole")))
        seconds = time.perf_counter() - start
        again, moments = disturbed(folder, side, run.seed, Path(scratch, "killed"), kills, seconds)
    same = again["choices"] == whole["choices"] and again["figures"] == whole["figures"]
    note = f"{'the same' if same else 'ANOTHER'} selection after {len(moments)} kills at {', '.join(moments)} s"
    yield run.row(
        "resume",
        "finished trials made again",
        (again["rewritten"], whole["trials"]),
        "of all trials",
        PEER,
        OURS_OVER_PEER,
        target="0, and the same selection",
        note=note,
        settings={"images": count, "image_size": side, "undisturbed_s": seconds},
    )


def disturbed(
    folder: Path, side: int, seed: int, work: Path, kills: int, seconds: float
) -> tuple[dict[str, Any], list[str]]:
    """The answer of a search killed at random moments, with how many finished trials were written a second time."""
    draw = random.Random(seed)
    finished: dict[Path, int] = {}
    rewritten, moments = 0, []
    while len(moments) < kills:
        moment = draw.uniform(0.2, 0.9) * seconds
        process = search(folder, side, seed, work)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            moments.append(f"{moment:.0f}")
        now = {path: path.stat().st_mtime_ns for path in work.glob("*.npz")}
        rewritten += sum(now.get(path) != written_at for path, written_at in finished.items())
        finished = now
        if process.returncode == 0:  # it ended before its time: begin anew
            for path in work.iterdir():
                path.unlink()
            finished = {}
    answer = finish(search(folder, side, seed, work))
    rewritten += sum(path.stat().st_mtime_ns != written_at for path, written_at in finished.items())
    return {**answer, "rewritten": rewritten}, moments


def search(folder: Path, side: int, seed: int, work: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.resume", str(folder), str(side), str(seed), str(work)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the search failed ({process.returncode})")
    return json.loads(output)


def main() -> None:
    """One search, as the child process that is killed: FOLDER SIDE SEED WORK."""
    folder, side, seed, work = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    extractor = Extractor(image_size=side, device="cpu")
    selection = LayerSelection(PatchCore(seed=seed), seed=seed)
    selection.fit(extractor, ImageCache(files(folder), side), work, cache_key=folder)
    answer = {
        "choices": [(choice.layer, choice.criterion, choice.weight) for choice in selection.selected_],
        "figures": {kind: (found.auroc, found.aupro) for kind, found in selection.figures_.items()},
        "trials": len(selection.trials_),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
