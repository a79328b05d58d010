"""A bundle takes another's place; whatever kills that, one of both is there, whole."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flawsight.bundle import check_files, read_manifest, replace_manifest
from flawsight.core import FlawsightError, sha256_of
from flawsight.station.learning import settle, swap

STEPS = ((os, "fsync"), (Path, "rename"), (shutil, "copyfile"), (shutil, "copystat"), (swap, "_exchange"))


class Killed(BaseException):
    """As if the process were gone: nothing catches it."""


@pytest.fixture
def pair(part: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The bundle, and another one elsewhere."""
    new = Path(shutil.copytree(part, tmp_path / "learned" / "bundle"))
    replace_manifest(read_manifest(new).model_copy(update={"mm_per_pixel": 0.5}), new)
    return part, new


def digest(folder: Path) -> str:
    check_files(folder, read_manifest(folder))
    return sha256_of(folder / "inspector.json")


def test_the_old_one_is_kept(pair: tuple[Path, Path]) -> None:
    folder, new = pair
    old, wanted = digest(folder), digest(new)
    before = swap.replace_bundle(folder, new)
    assert digest(folder) == digest(new) == wanted and digest(before) == old
    assert before.name.startswith("part.before-") and before.parent == folder.parent
    again = swap.replace_bundle(folder, before)
    assert digest(folder) == old and digest(again) == wanted and again != before
    settle(folder)
    assert {path.name for path in folder.parent.iterdir()} == {"part", before.name, again.name}


def test_a_damaged_one_is_refused(pair: tuple[Path, Path]) -> None:
    folder, new = pair
    old = digest(folder)
    (new / "model.onnx").write_bytes(b"")
    with pytest.raises(FlawsightError, match=r"model\.onnx has changed"):
        swap.replace_bundle(folder, new)
    assert digest(folder) == old and [path.name for path in folder.parent.iterdir()] == ["part"]


def test_a_full_disk_changes_nothing(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, new = pair
    old = digest(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(FlawsightError, match="there must be room"):
        swap.replace_bundle(folder, new)
    assert digest(folder) == old and [path.name for path in folder.parent.iterdir()] == ["part"]


@pytest.mark.parametrize("exchanges", [True, False], ids=["at once", "by renaming"])
def test_killed_at_any_step(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, exchanges: bool) -> None:
    folder, new = pair
    if exchanges and not sys.platform.startswith("linux"):
        pytest.skip("renameat2 is of Linux")
    home, old, wanted = folder.parent, digest(folder), digest(new)
    first = Path(shutil.copytree(folder, home.with_name("first")))
    if not exchanges:
        monkeypatch.setattr(swap.sys, "platform", "other")
    ends = set()
    for deadline in range(60):
        shutil.rmtree(home)
        home.mkdir()
        shutil.copytree(first, folder)
        steps = iter(range(deadline))

        def step(call: Callable, steps: object = steps) -> Callable:
            def counted(*arguments: object, **options: object) -> object:
                if next(steps, None) is None:  # type: ignore[call-overload]
                    raise Killed
                return call(*arguments, **options)

            return counted

        with monkeypatch.context() as patch:
            for owner, name in (
                (os, "fsync"),
                (Path, "rename"),
                (shutil, "copyfile"),
                (shutil, "copystat"),
                (swap, "_exchange"),
            ):
                patch.setattr(owner, name, step(getattr(owner, name)))
            patch.setattr(shutil.copytree, "__defaults__", (False, None, shutil.copy, False, False))
            try:
                swap.replace_bundle(folder, new)
                is_done = True
            except Killed:
                is_done = False
        if exchanges:
            assert digest(folder) in (old, wanted)
        settle(folder)
        assert digest(folder) in (old, wanted)
        assert not list(home.glob("*.next-*"))
        if digest(folder) == wanted:
            assert {digest(path) for path in home.glob("*.before-*")} == {old}
        ends.add((is_done, digest(folder) == wanted))
        if is_done:
            break
    assert ends >= {(False, False), (True, True)} and len(ends) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="renameat2 is of Linux")
def test_killed_for_real(pair: tuple[Path, Path]) -> None:
    folder, new = pair
    allowed = {digest(folder), digest(new)}
    code = (
        "import sys; from pathlib import Path; from flawsight.station.learning.swap import replace_bundle\n"
        "folder, new = map(Path, sys.argv[1:]); print('ready', flush=True)\n"
        "while True: new = replace_bundle(folder, new)\n"
    )
    for number in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder), str(new)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(random.Random(number).uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert digest(folder) in allowed
        settle(folder)
        assert digest(folder) in allowed and not list(folder.parent.glob("*.next-*"))
        others = [path for path in folder.parent.glob("part.before-*") if digest(path) != digest(folder)]
        new = others[-1] if others else new
