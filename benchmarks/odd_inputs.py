"""Nothing is silent: odd inputs from a seed, each given to a real command, and what became of every file.

    python -m benchmarks odd_inputs

Each input is a folder, file or list, made from its number and the seed, that goes through the entry of `inspect`,
`check`, `fit` or `evaluate` in a process of its own that is watched: it may crash or hang. A file counts as read,
refused (an error that says what is wrong), or skipped by name. Ends with 1 where there was a traceback, a crash, a
hang, or a file of which nothing was said.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks._odd_cases import FAMILIES, Case, usual
from flawsight.core import FlawsightError, readable, readable_document
from flawsight.data import IMAGE_SUFFIXES

OUTCOMES = ("read", "refused", "skipped by name", "hidden", "TRACEBACK", "SILENT")
QUICK = {"image_size": 32, "fixed_layers": "blocks.2.1.add", "device": "cpu", "false_alarm_rate": 0.2}


def command_line(*arguments: object) -> tuple[int, dict[str, Any], str]:
    """A command in this process: its exit code, its JSON document, and what it complained of."""
    from flawsight.cli import main

    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["flawsight", *map(str, arguments), "--json"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, json.loads(out.getvalue() or "null") or {}, err.getvalue()


class Told(NamedTuple):
    """What a command said, the files that it read and refused, and the error if it refused all."""

    said: str = ""
    read: Collection[Path] = ()
    refused: Collection[Path] = ()
    error: str = ""


def outcome(case: Case, bundle: Path, scratch: Path) -> tuple[list[str], str]:
    """What became of each file, and details of what should not be."""
    run = {"inspect": inspected, "check": checked, "fit": fitted, "evaluate": evaluated}[case.command]
    told = run(case, bundle, scratch)
    found = [became(path, case.given, told) for path in case.files]
    silent = [str(path) for path, one in zip(case.files, found, strict=True) if one == "SILENT"]
    return found, f"{case.command} {case.given}: nothing on {silent} in {told.said}" if silent else ""


def became(path: Path, given: Path, told: Told) -> str:
    """Read, refused, named itself, or in a folder that is named."""
    if told.error or path in told.refused:
        return "refused"
    if path in told.read:
        return "read"
    if path.name.startswith(".") and path.suffix.lower() not in IMAGE_SUFFIXES:
        return "hidden"  # as systems and programs leave them by the dozen: nobody takes them for pictures
    folders = [one for one in path.parents if given in one.parents]
    is_said = _json(path.name) in told.said or any(_is_folder_named(one, told.said) for one in folders)
    return "skipped by name" if is_said else "SILENT"


def _is_folder_named(folder: Path, said: str) -> bool:
    """By its place, or by its name in quotes or in brackets, as sentences name folders."""
    name = re.escape(_json(folder.name))
    places = (f"{re.escape(_json(str(folder)))}[\"']", f"'{name}'", rf"\([^()]*(?<!\w){name}(?!\w)[^()]*\)")
    return any(re.search(place, said) for place in places)


def _json(text: str) -> str:
    return json.dumps(readable(text))[1:-1]


def refused(code: int, document: dict[str, Any], err: str) -> str:
    """The message of a clear refusal; all else that is no success is raised."""
    if code == 0:
        return ""
    error = document.get("error", {})
    if code == 2 and error.get("kind") == "input" and len(error["message"]) > 20:
        return error["message"]
    raise RuntimeError(f"exit code {code}: {error or err or document}")


def inspected(case: Case, bundle: Path, scratch: Path) -> Told:
    code, document, err = command_line("inspect", "--device", "cpu", "--out", scratch / "results", bundle, case.given)
    if "results" not in document:
        return Told(error=refused(code, document, err))
    wrong = {row["path"] for row in document["results"] if row["verdict"] == "error" and len(row["reason"]) > 20}
    right = {row["path"] for row in document["results"] if row["verdict"] != "error"}
    read, unread = ([path for path in case.files if readable(path) in rows] for rows in (right, wrong))
    return Told(json.dumps(document["warnings"] + document["skipped"]), read, unread)


def checked(case: Case, bundle: Path, scratch: Path) -> Told:
    from flawsight.health import check_folder
    from flawsight.report import write_check_page
    from flawsight.settings import CheckSettings

    del bundle
    try:
        found = check_folder(CheckSettings(good=case.given))
    except FlawsightError as error:
        return Told(error=str(error))
    write_check_page(scratch / "page", found, case.given)
    unread = {path for one in found.report.findings if one.severity == "error" for path in one.files}
    document = readable_document(found.report.to_dict())
    return Told(json.dumps(document), set(found.images.paths) - unread, unread)


def fitted(case: Case, bundle: Path, scratch: Path) -> Told:
    from flawsight.data import good_images

    del bundle
    options = ["--image-size", 32, "--fixed-layers", "blocks.2.1.add", "--device", "cpu", "--false-alarm-rate", 0.2]
    code, document, err = command_line("fit", case.given, "--out", scratch / "bundle", *options)
    if error := refused(code, document, err):
        return Told(error=error)
    return Told(json.dumps(document), good_images(case.given))


def evaluated(case: Case, bundle: Path, scratch: Path) -> Told:
    from flawsight.data import open_dataset

    given = ["--resolution", 32, "--device", "cpu", "--out", scratch / "figures"]
    code, document, err = command_line("evaluate", bundle, case.given, *given)
    if error := refused(code, document, err):
        return Told(error=error)
    samples = open_dataset(case.given)
    read = [path for one in samples for path in (one.path, *one.masks) if isinstance(path, Path)]
    skipped = [str(one.path) for one in samples.skipped]
    return Told(json.dumps([document, *samples.notes, *skipped]), read)


def work(pipe: Connection, bundle: Path, seed: int) -> None:
    """Make and run the inputs whose numbers come; what each became goes back."""
    import flawsight.inference
    import flawsight.pipeline  # noqa: F401 - what takes long is loaded before the clock runs

    warnings.simplefilter("ignore")
    pipe.send("ready")
    while True:
        number = pipe.recv()
        if number is None:
            return
        scratch = Path(tempfile.mkdtemp(prefix="odd"))
        family = family_of(number, seed)
        try:
            case = FAMILIES[family][1](np.random.default_rng([seed, number]), scratch / "given")
            found, details = outcome(case, bundle, scratch)
        except BaseException:
            found, details = ["TRACEBACK"], traceback.format_exc()
        shutil.rmtree(scratch, ignore_errors=True)
        pipe.send((family, found, details))


def family_of(number: int, seed: int) -> str:
    shares = [share for share, _ in FAMILIES.values()]
    return str(np.random.default_rng([seed, number, 1]).choice(list(FAMILIES), p=np.array(shares) / sum(shares)))


def results(numbers: Sequence[int], bundle: Path, seed: int, seconds: float) -> Iterator[tuple[str, list[str], str]]:
    """What became of each input; a process that died or hangs is replaced."""
    context = multiprocessing.get_context("spawn")
    process = None
    for number in numbers:
        if process is None:
            pipe, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs, bundle, seed), daemon=True)
            process.start()
            theirs.close()
            pipe.recv()
        pipe.send(number)
        try:
            if not pipe.poll(seconds):
                raise TimeoutError(f"no answer within {seconds:g} seconds")
            yield pipe.recv()
        except (EOFError, TimeoutError, ConnectionResetError) as error:
            process.kill()
            process.join()
            yield family_of(number, seed), ["TRACEBACK"], f"{error or 'the process died'} ({process.exitcode})"
            process = None
    if process is not None:
        pipe.send(None)
        process.join()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks odd_inputs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=500, help="how many inputs; default 500")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one input alone, by its number")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one input; default 60")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    numbers = range(options.count) if options.only is None else [options.only]
    inputs, files, wrong = Counter(), {family: Counter() for family in FAMILIES}, 0
    with tempfile.TemporaryDirectory() as scratch:
        import flawsight as fs

        usual(Path(scratch, "good"), np.random.default_rng(options.seed), 12)
        fs.fit(Path(scratch, "good"), Path(scratch, "bundle"), **QUICK)
        found = results(numbers, Path(scratch, "bundle"), options.seed, options.timeout)
        for number, (family, outcomes, details) in zip(numbers, found, strict=True):
            inputs[family] += 1
            files[family].update(outcomes)
            if details:
                wrong += 1
                print(f"input {number} ({family}):\n{details}", file=sys.stderr)
    print(
        f"| inputs | number | {' | '.join(f'files {name}' for name in OUTCOMES)} |\n|---|---|{'---|' * len(OUTCOMES)}"
    )
    for family, counts in files.items():
        print(f"| {family} | {inputs[family]} | {' | '.join(str(counts[name]) for name in OUTCOMES)} |")
    whole = sum(files.values(), Counter())
    print(f"| all | {inputs.total()} | {' | '.join(str(whole[name]) for name in OUTCOMES)} |")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
