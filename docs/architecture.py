"""Draw images/architecture.svg from the import contracts in pyproject.toml: python docs/architecture.py."""

import ast
import re
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "flawsight"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
FLOORS, LINE = "Floors", "The line needs no torch"

WIDTH, MARGIN, GAP, TEXT, LETTER = 720, 16, 8, 16, 6.3
PLAIN, TORCH, BACK, INK = ("#d7f0e6", "#3f8f72"), ("#fde3cf", "#c7773a"), "#f7f8fa", "#1f2430"
STYLE = f"text {{ font: 12px sans-serif; fill: {INK} }} .name {{ font: bold 14px sans-serif }}"


class Room(NamedTuple):
    """A part of the package, as the picture shows it."""

    name: str
    purpose: str
    needs_torch: bool


def floors(contracts: list[dict]) -> list[list[Room]]:
    """The rooms of each floor, top floor first."""
    by_name = {contract["name"]: contract for contract in contracts}
    plain = {name.rpartition(".")[2] for name in by_name[LINE]["source_modules"]}
    names = [re.findall(r"\w+", floor) for floor in by_name[FLOORS]["layers"]]
    built = [[name for name in floor if (PACKAGE / name).is_dir()] for floor in names]  # a contract may allow for more
    return [[Room(name, purpose(name), name not in plain) for name in floor] for floor in built if floor]


def purpose(room: str) -> str:
    """The first line of a room's docstring."""
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")))
    return (text or "").partition("\n")[0]


def draw(house: list[list[Room]]) -> str:
    """The picture: a row of boxes for each floor, and a line above the last floors, which do without torch."""
    parts, y = [], MARGIN
    last_torch = max((number for number, rooms in enumerate(house) if any(r.needs_torch for r in rooms)), default=-1)
    for number, rooms in enumerate(house):
        width = (WIDTH - 2 * MARGIN - GAP * (len(rooms) - 1)) / len(rooms)
        texts = [wrap(room.purpose, int((width - 24) / LETTER)) for room in rooms]
        height = 30 + TEXT * max(map(len, texts))
        for column, (room, lines) in enumerate(zip(rooms, texts, strict=True)):
            parts.append(box(MARGIN + column * (width + GAP), y, width, height, room, lines))
        y += height + GAP
        if number == last_torch and number < len(house) - 1:
            parts.append(dashes(y))
            y += 30
    parts.append(legend(y + 8))
    height = y + 8 + 38 + MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    title = "<title>The rooms of Flawsight, floor above floor; each imports only from floors below</title>"
    paper = f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{BACK}"/>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", paper, *parts, "</svg>\n"])


def dashes(y: float) -> str:
    """The line below which nothing needs torch."""
    middle = WIDTH // 2
    return (
        f'<path d="M{MARGIN} {y + 14}H{WIDTH - MARGIN}" stroke="{PLAIN[1]}" stroke-width="2" stroke-dasharray="8 5"/>\n'
        f'<rect x="{middle - 120}" y="{y + 4}" width="240" height="20" fill="{BACK}"/>\n'
        f'<text x="{middle}" y="{y + 18}" text-anchor="middle">from here down nothing needs torch</text>'
    )


def box(x: float, y: float, width: float, height: float, room: Room, lines: list[str]) -> str:
    """One room: its name, and its purpose below."""
    fill, edge = TORCH if room.needs_torch else PLAIN
    rows = [
        f'<rect x="{x:g}" y="{y}" width="{width:g}" height="{height}" rx="5" fill="{fill}" stroke="{edge}"/>',
        f'<text class="name" x="{x + 12:g}" y="{y + 20}">{escape(room.name)}</text>',
        *(f'<text x="{x + 12:g}" y="{y + 22 + TEXT * k}">{escape(line)}</text>' for k, line in enumerate(lines, 1)),
    ]
    return "\n".join(rows)


def legend(y: float) -> str:
    """What the colours mean."""
    meanings = ((PLAIN, "does without torch"), (TORCH, "may use torch"))
    rows = []
    for number, ((fill, edge), meaning) in enumerate(meanings):
        x = MARGIN + 170 * number
        rows.append(f'<rect x="{x}" y="{y}" width="14" height="14" rx="3" fill="{fill}" stroke="{edge}"/>')
        rows.append(f'<text x="{x + 22}" y="{y + 12}">{meaning}</text>')
    note = "A room imports only from floors below its own; rooms of one floor know nothing of each other."
    rows.append(f'<text x="{MARGIN}" y="{y + 34}">{note}</text>')
    return "\n".join(rows)


def picture() -> str:
    """The picture of the contracts as they are now."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return draw(floors(project["tool"]["importlinter"]["contracts"]))


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
