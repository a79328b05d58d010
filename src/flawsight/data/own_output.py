"""What Flawsight wrote itself, so that it is never taken for pictures of a product."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

from flawsight.core import write_whole

MARK = ".flawsight-output"
"""A file that names, line by line, what beside it is our output."""
_INSPECTED = ("results.csv", "heatmaps", b"path,score,p_value,verdict")
_WHOLE = {
    "inspector.json": rb'\s*\{\s*"format": ?\d',
    "generator.json": rb'\s*\{\s*"format": ?\d',
    "synthetic.csv": rb"\s*$|image,part,mask,",
}
"""Files by which a folder is ours as a whole, and how they begin."""


_PNG_HEAD = 33
"""Bytes before the first chunk that may be a text: the signature and the picture's header."""
_TEXT = b"tEXtSoftware\0Flawsight heat map"
_CHUNK = struct.pack(">I", len(_TEXT) - 4) + _TEXT + struct.pack(">I", zlib.crc32(_TEXT))


def marked_png(data: bytes) -> bytes:
    """A PNG that says that it is a heat map, wherever it is copied to."""
    return data[:_PNG_HEAD] + _CHUNK + data[_PNG_HEAD:]


def is_marked_png(path: Path) -> bool:
    """Whether a PNG says that it is a heat map."""
    return path.suffix.lower() == ".png" and _TEXT in (_head(path, _PNG_HEAD + len(_CHUNK)) or b"")


def mark_output(folder: Path, *names: str) -> None:
    """Remember in `folder` that what has these names in it is our output."""
    write_whole(folder / MARK, "\n".join(sorted({*_marked(folder), *names})) + "\n")


def own_entries(folder: Path) -> set[str]:
    """The names of what in `folder` is our output: as the mark says, and heat maps beside a table of results."""
    table, heat_maps, header = _INSPECTED
    return _marked(folder) | ({heat_maps} if (_head(folder / table) or b"").startswith(header) else set())


def is_own_output(path: Path) -> bool:
    """Whether a file or folder is named as our output by what lies beside it, such as the heat maps of `inspect`."""
    return path.name in own_entries(path.parent)


def is_own_folder(folder: Path) -> bool:
    """Whether a folder is ours as a whole."""
    heads = {name: _head(folder / name) for name in _WHOLE}
    return any(head is not None and re.match(_WHOLE[name], head) for name, head in heads.items())


def _marked(folder: Path) -> set[str]:
    return set((_head(folder / MARK, 4096) or b"").decode(errors="replace").splitlines())


def _head(path: Path, size: int = 64) -> bytes | None:
    """How a file begins, or None if it is none."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return None
