"""Every block of Python and every command of the documentation runs, or says why not.

The blocks of a page run in their order, in one folder with small pictures; its Python blocks share their names. A block
that cannot run has a comment on the line before it, `<!-- not run: needs an hour -->`. `SHORTER` is all that is done to
a text: it makes pictures and trainings small. Generators are those of `conftest.py`, tiny ones.
"""

import re
import runpy
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from flawsight.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = {"bash", "sh", "console"}
TEXT = {"text", "yaml", "toml", "json"}
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n?")
SHORTER = {
    r"^flawsight fit [^#\n]*": r"\g<0> --image-size 64 --layers blocks.1.0.bn?,blocks.3.0.bn3 --device cpu ",
    r"^[^#\n]*,simplenet [^#\n]*": r"\g<0> --parameter simplenet.epochs=1 ",
    r"^[^#\n]*--detector realnet [^#\n]*": r"\g<0> --layers all "
    "--parameter realnet.training_steps=2 --parameter realnet.pairs=8 --parameter realnet.afs_pairs=8 ",
    r"\bfs\.fit\((.+?)\)": r'fs.fit(\1, image_size=64, layers="blocks.1.0.bn?,blocks.3.0.bn3")',
    # A graph that nothing on its page reads, where others are read.
    r"^[^#\n]*--out quick [^#\n]*": r"\g<0> --export none ",
    r"^[^#\n]*--latency-budget [^#\n]*": r"\g<0> --layers blocks.1.0.bn3,blocks.3.0.bn3 ",
    r'"out": None, "layers": "blocks[^"]*"': r'"out": None, "layers": "blocks.2.0.*", "image_size": 64',
    r"\bLayerSelection\(PatchCore\(\), ": r'\g<0>"blocks.1.0.*", ',
    r"\bExtractor\((.*?)\)": r"Extractor(*[\1], image_size=64)",
    r"\btraining_steps=1000\b": "training_steps=2, pairs=8, afs_pairs=8",
}
READS_GRAPHS = re.compile(r"^flawsight (export|bench) ", re.MULTILINE)
"""On other pages fits export none: the exporter takes longer than all else in a small fit."""


class Block(NamedTuple):
    """A fenced block: its language, text, first line in the page, and whether it says why it is not run."""

    language: str
    text: str
    line: int
    is_excused: bool


def blocks(page: Path) -> list[Block]:
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    found = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type in ("fence", "code_block") and token.map:
            is_excused = before is not None and bool(NOT_RUN.fullmatch(before.content))
            found.append(Block(token.info.strip(), token.content, token.map[0] + 1, is_excused))
    return found


def shorter(text: str, page: Path) -> str:
    for long, short in SHORTER.items():
        text = re.sub(long, short, text, flags=re.MULTILINE)
    if not READS_GRAPHS.search(page.read_text(encoding="utf-8")):
        text = re.sub(r"^flawsight fit [^#\n]*", r"\g<0> --export none ", text, flags=re.MULTILINE)
    return text


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run a line of the command line in this process, which has torch loaded already."""

    def call(line: str) -> None:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "flawsight", (
            f"only `flawsight` is run, not `{program}`: mark the block as not run, or part it"
        )
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as end:
            main()
        signal.signal(signal.SIGINT, handler)
        assert not end.value.code, f"exit code {end.value.code}"

    return call


WITH_BLOCKS = [page for page in PAGES if blocks(page)]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.stem)
def test_blocks_run(page: Path, desk: Path, run: Callable[[str], None]) -> None:
    names: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        place = f"{page.relative_to(ROOT)}:{block.line}"
        assert block.language in {"python", *SHELL, *TEXT}, f"{place}: a block of the language '{block.language}'"
        if block.is_excused or block.language in TEXT:
            continue
        if block.language == "python":
            text = "\n" * block.line + shorter(block.text, page)  # an error names the page's own line
            exec(compile(text, page, "exec"), names)
            continue
        for line in filter(str.strip, shorter(block.text, page).splitlines()):
            print(f"{place}: {line}")
            run(line)


def commands(pattern: str) -> dict[str, set[str]]:
    """The first group of the pattern and all options written after it, in every block of every page."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for block in blocks(page):
            for name, rest in re.findall(pattern, block.text, re.MULTILINE):
                found.setdefault(name, set()).update(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest))
    return found


BENCHMARKS = commands(r"^python -m (benchmarks[.\w]*(?: [a-z_]+)?)([^#\n]*)")


@pytest.mark.filterwarnings("ignore:'benchmarks")  # one study imports another
@pytest.mark.parametrize("command", BENCHMARKS)
def test_benchmarks_know_their_options(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    module, *name = command.split()
    monkeypatch.setattr(sys, "argv", [module, *name, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(module, run_name="__main__")
    assert not end.value.code
    unknown = BENCHMARKS[command] - set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert not unknown


def test_all_that_is_made_shorter_is_somewhere() -> None:
    texts = "\n".join(block.text for page in PAGES for block in blocks(page) if not block.is_excused)
    assert [long for long in SHORTER if not re.search(long, texts, re.MULTILINE)] == []


def test_every_benchmark_in_the_text_is_there() -> None:
    for page in PAGES:
        for name in re.findall(r"python -m (benchmarks[.\w]*)", page.read_text(encoding="utf-8")):
            path = ROOT / name.replace(".", "/")
            assert (path / "__main__.py").exists() or path.with_suffix(".py").exists(), f"{page.name}: {name}"


def test_only_a_reason_excuses(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    block = "```bash\nrm -rf\n```\n\n"
    page.write_text(
        f"Text.\n{block}<!-- not run: -->\n{block}<!-- not run: breaks things -->\n{block}", encoding="utf-8"
    )
    assert [(block.line, block.is_excused) for block in blocks(page)] == [(2, False), (7, False), (12, True)]
