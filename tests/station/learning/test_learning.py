"""Learning again, from start to choice, with a real fit and with fits that fail, hang and are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.bundle import check_files, read_manifest
from flawsight.core import FlawsightError, sha256_of
from flawsight.station.history.record import Record
from flawsight.station.learning import Learning
from flawsight.station.learning.pictures import is_held_out

_spec = spec_from_file_location("learning_conftest", Path(__file__).with_name("conftest.py"))
assert _spec and _spec.loader
_conftest = module_from_spec(_spec)
_spec.loader.exec_module(_conftest)
Bundles, wait = _conftest.Bundles, _conftest.wait

COPIES = "shutil.copytree(bundle, out)\n"
HANGS = "print('Learning: 3 of 9', flush=True)\ntime.sleep(600)\n"


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def learned(folder: Path) -> set[str]:
    return {sha256_of(path) for path in (folder / "good").iterdir()}


def test_it_learns_compares_and_is_adopted(
    learning: Callable, part: Path, marked: list[Record], good_dir: Path, tmp_path: Path
) -> None:
    one: Learning = learning()
    assert one.state("part").kind == "idle"
    one.start("part", "Ann")
    state = wait(one)
    assert state.kind == "ready" and state.by == "Ann", state
    assert any("Learned from" in line for line in state.log)

    place = tmp_path / "station" / "learned" / "part"
    good = {record.sha256 for record in marked if record.mark == "good"}
    expected = {sha256_of(path) for path in good_dir.iterdir()} | {one for one in good if not is_held_out(one)}
    assert learned(place) == expected
    held = [sha256 for sha256 in good if is_held_out(sha256)]
    comparison = state.comparison
    assert comparison is not None and 0 < len(held) < len(good)
    assert (comparison.n_good, comparison.n_defective) == (len(held), 4)
    assert comparison.old.found_defective == comparison.new.found_defective == 4
    assert comparison.new.auroc == comparison.old.auroc == 1.0
    assert {flip.id for flip in comparison.flips} <= {record.id for record in marked if record.sha256 in held}
    assert f"{len(expected) - 24} marked good" in comparison.notes[0]
    assert not any("other pictures than" in note for note in comparison.notes)

    old, new = read_manifest(part), read_manifest(place / "bundle")
    assert new.data.images == len(expected) and new.settings["fixed_layers"] == [["blocks.1.0.bn3"]]
    bundles = one._bundles
    before = one.adopt("part", "Bob")
    assert bundles.get("part").inspector.manifest.data.fingerprint == new.data.fingerprint  # type: ignore[attr-defined]
    assert read_manifest(before).data.fingerprint == old.data.fingerprint and before.parent == part.parent
    for folder in (part, before):
        check_files(folder, read_manifest(folder))
    last = read_manifest(part).revisions[-1]
    assert last.by == "Bob" and "learned again" in last.why and last.point == new.operating_point
    assert fs.load(part).inspect(np.full((80, 96, 3), 250, np.uint8)).verdict == "defective"
    assert one.state("part").kind == "idle" and not place.exists()
    with pytest.raises(FlawsightError, match="nothing to adopt"):
        one.adopt("part", "Bob")


def test_it_survives_a_restart_when_ready(
    learning: Callable, program: Callable, part: Path, marked: list[Record]
) -> None:
    one = learning(program(COPIES))
    one.start("part", "Ann")
    state = wait(one)
    assert state.kind == "ready", state.reason
    again = learning()
    assert again.state("part").comparison == state.comparison
    again.discard("part")
    assert again.state("part").kind == "idle" and again.state("part").log == ()
    assert read_manifest(part).revisions == ()


def test_progress_is_seen_while_it_runs_and_a_stop_leaves_nothing(
    learning: Callable, program: Callable, marked: list[Record], tmp_path: Path
) -> None:
    child = "import subprocess\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    one = learning(program(child + HANGS))
    one.start("part", "Ann")
    state = wait(one, until=lambda state: "3 of 9" in state.step)
    assert state.kind == "running" and state.log == ("Learning: 3 of 9",) and state.since is not None
    pid = one._jobs["part"].kept.pid
    assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
    with pytest.raises(FlawsightError, match="being learned again"):
        one.start("part", "Bob")
    one.stop("part")
    assert one.state("part").kind == "idle" and not (tmp_path / "station" / "learned" / "part").exists()
    left = subprocess.run(["pgrep", "-g", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    assert not [number for number in left if is_alive(int(number))]
    one.start("part", "Bob")
    assert wait(one, until=lambda state: "3 of 9" in state.step).by == "Bob"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('flawsight: 5 pictures are too few')\nprint('so it goes')\nsys.exit(2)\n", "5 pictures are too few"),
        ("print('Segmentation fault')\nsys.exit(3)\n", "Segmentation fault"),
        ("sys.exit(3)\n", "exit code 3"),
        ("import os\nos.kill(os.getpid(), 9)\n", "memory"),
        ("", "is no bundle"),
        ("shutil.copytree(bundle, out)\n(out / 'model.onnx').write_bytes(b'')\n", "damaged"),
    ],
)
def test_why_a_fit_failed_is_said(
    learning: Callable, program: Callable, marked: list[Record], code: str, reason: str
) -> None:
    one = learning(program(code))
    one.start("part", "Ann")
    state = wait(one)
    assert state.kind == "failed" and reason in state.reason
    with pytest.raises(FlawsightError, match="nothing to adopt"):
        one.adopt("part", "Ann")
    one.discard("part")
    assert one.state("part").kind == "idle"


def test_a_station_that_ends_says_that_it_was_interrupted(
    learning: Callable, program: Callable, marked: list[Record]
) -> None:
    one = learning(program(HANGS))
    one.start("part", "Ann")
    wait(one, until=lambda state: "3 of 9" in state.step)
    pid = one._jobs["part"].kept.pid
    one.close()
    assert not is_alive(pid)
    state = learning().state("part")
    assert state.kind == "failed" and "was interrupted" in state.reason


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a process is not known again")
def test_a_fit_that_outlived_a_killed_station_is_ended(
    learning: Callable, program: Callable, marked: list[Record], tmp_path: Path
) -> None:
    one = learning(program(HANGS))
    one.start("part", "Ann")
    wait(one, until=lambda state: "3 of 9" in state.step)
    pid = one._jobs["part"].kept.pid
    learning()  # as after kill -9: nobody closed the first
    for _ in range(100):
        if not is_alive(pid):
            break
        time.sleep(0.05)
    assert not is_alive(pid)
    # Another process that got its number in the meantime is left alone.
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    place = one._place("part")
    kept = place.read()
    assert kept is not None
    wait(one, until=lambda _: not one._jobs)
    place.write(kept.model_copy(update={"kind": "running", "pid": other.pid}))
    state = learning().state("part")
    assert state.kind == "failed" and "was interrupted" in state.reason
    assert other.poll() is None
    os.kill(other.pid, signal.SIGKILL)
    other.wait()


def test_a_new_bundle_that_cannot_be_loaded_is_taken_back(
    learning: Callable, program: Callable, part: Path, marked: list[Record]
) -> None:
    digest = sha256_of(part / "inspector.json")
    bundles = Bundles(part)
    one = learning(program(COPIES), of=bundles)
    one.start("part", "Ann")
    assert wait(one).kind == "ready"
    bundles.is_broken = True
    with pytest.raises(FlawsightError, match="cannot be loaded"):
        one.adopt("part", "Ann")
    assert sha256_of(part / "inspector.json") == digest and one.state("part").kind == "ready"


def test_what_is_missing_is_said_at_once(
    learning: Callable, program: Callable, part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [
        (learning(program(COPIES)), "nonsuch", "unknown bundle"),
        (learning(program(COPIES), good=None), "part", "--good"),
        (learning(program(COPIES), good=tmp_path / "none"), "part", "is not there"),
        (learning(tmp_path / "none"), "part", "--fit-with"),
    ]
    for one, name, words in cases:
        with pytest.raises(FlawsightError, match=words):
            one.start(name, "Ann")
    with pytest.raises(FlawsightError, match="say who"):
        learning().start("part", " ")
    monkeypatch.setattr("flawsight.station.learning.process.is_installed", lambda _: False)
    with pytest.raises(FlawsightError, match=r"flawsight\[fit\]"):
        learning().start("part", "Ann")


def test_a_fit_that_took_files_is_not_repeated_without_them(learning: Callable, part: Path) -> None:
    text = (part / "inspector.json").read_text().replace('"settings_paths": []', '"settings_paths": ["weights"]')
    (part / "inspector.json").write_text(text)
    with pytest.raises(FlawsightError, match="--weights"):
        learning().start("part", "Ann")


def test_the_region_and_the_rate_in_force_go_along(
    learning: Callable, program: Callable, part: Path, marked: list[Record], tmp_path: Path
) -> None:
    from base64 import b64encode

    from flawsight.bundle import replace_manifest, revised
    from flawsight.views import RegionOfInterest

    mask = np.zeros((80, 96), bool)
    mask[10:70, 10:90] = True
    region = RegionOfInterest(mask).png()
    manifest = read_manifest(part)
    manifest = revised(
        manifest, "Ann", "2026-01-01T00:00:00+00:00", "a test", threshold=manifest.calibration.scores[12]
    )
    replace_manifest(manifest.model_copy(update={"region": b64encode(region).decode()}), part)
    seen = tmp_path / "seen"
    one = learning(program(f"pathlib.Path({str(seen)!r}).write_text('\\n'.join(arguments))\n"))
    one.start("part", "Ann")
    wait(one)
    arguments = seen.read_text().splitlines()
    assert arguments.pop() == "--all-good"  # what people marked as good is what was odd
    options = dict(zip(arguments[2::2], arguments[3::2], strict=True))
    assert Path(options["--region"]).read_bytes() == region
    assert float(options["--false-alarm-rate"]) == manifest.operating_point.rate > 0.2
    assert options["--config"] == str(part / "inspector.json")


def test_what_is_judged_stays(learning: Callable, program: Callable, part: Path, marked: list[Record]) -> None:
    from base64 import b64encode

    from flawsight.bundle import replace_manifest, revised
    from flawsight.views import RegionOfInterest

    mask = np.ones((80, 96), bool)
    mask[:, 40:] = False
    judged = b64encode(RegionOfInterest(mask).png()).decode()
    replace_manifest(revised(read_manifest(part), "Ann", "2026-01-01T00:00:00+00:00", "glare", judged=judged), part)
    one = learning(program(COPIES))
    one.start("part", "Ann")
    state = wait(one)
    assert state.kind == "ready" and state.comparison is not None
    # The spot lies where nothing is judged any more.
    assert state.comparison.new.found_defective == state.comparison.old.found_defective < 2
    one.adopt("part", "Bob")
    assert read_manifest(part).judged == judged


def test_what_was_left_out_once_is_left_out_of_every_fit_that_follows(
    learning: Callable, program: Callable, part: Path, marked: list[Record], good_dir: Path, tmp_path: Path
) -> None:
    """A fit that looks for no suspects names none: without its names the next one would learn from them."""
    from flawsight.bundle import SuspectInfo, replace_manifest

    out, doubted = good_dir / "003.png", good_dir / "004.png"
    suspects = tuple(
        SuspectInfo(file=path.name, sha256=sha256_of(path), score=9.0, expected=0.001, is_left_out=path == out)
        for path in (out, doubted)
    )
    manifest = read_manifest(part)
    replace_manifest(
        manifest.model_copy(update={"data": manifest.data.model_copy(update={"suspects": suspects})}), part
    )
    for _ in range(2):
        one = learning(program(COPIES))  # of a bundle that names no suspects
        one.start("part", "Ann")
        assert wait(one).kind == "ready"
        of_next = learned(tmp_path / "station" / "learned" / "part")
        assert sha256_of(out) not in of_next and sha256_of(doubted) in of_next
        one.adopt("part", "Bob")
        assert read_manifest(part).data.suspects == suspects[:1]
        check_files(part, read_manifest(part))
        one.close()


def test_good_pictures_of_several_bundles_lie_in_their_folders(
    learning: Callable, program: Callable, part: Path, good_dir: Path, tmp_path: Path, add: Callable, texture: Callable
) -> None:
    import shutil

    other = Path(shutil.copytree(part, part.with_name("other")))
    both = Bundles(part, other)
    for seed in range(40, 60):
        add(texture(seed), "good", bundle="other")
    (tmp_path / "fits").mkdir()
    (tmp_path / "fits" / "other").symlink_to(good_dir)
    one = learning(program(COPIES), of=both, good=tmp_path / "fits")
    with pytest.raises(FlawsightError, match="is not there"):
        one.start("part", "Ann")
    one.start("other", "Ann")
    assert wait(one, "other").kind == "ready" and one.state("part").kind == "idle"
