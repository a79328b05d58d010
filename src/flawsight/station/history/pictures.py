"""Kept pictures: files named by what is in them, each once however many records have it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_HEADS = (
    (b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"BM", ".bmp"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"),
    (b"II+\0", ".tif"), (b"MM\0+", ".tif"), (b"RIFF", ".webp"), (b"\0\0\0\x0cjP  ", ".jp2"),
    (b"\xff\x4f\xff\x51", ".jp2"),
    (b"P1", ".pbm"), (b"P4", ".pbm"), (b"P2", ".pgm"), (b"P5", ".pgm"), (b"P3", ".ppm"), (b"P6", ".ppm"),
)  # fmt: skip


def suffix_of(picture: bytes) -> str:
    """The suffix that the first bytes ask for; `.bin` for what is no picture."""
    return next((suffix for head, suffix in _HEADS if picture.startswith(head)), ".bin")


class Pictures:
    """Files `ab/<SHA-256><suffix>` in a folder. Whoever calls sees to it that one at a time writes or removes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str, suffix: str) -> Path:
        """Where the picture lies, if it does."""
        return self.folder / sha256[:2] / f"{sha256}{suffix}"

    def write(self, sha256: str, picture: bytes) -> str:
        """Keep the picture of this SHA-256, on the disk when this returns; its suffix. OSError where that fails."""
        suffix = suffix_of(picture)
        path = self.path(sha256, suffix)
        with suppress(OSError):
            if path.stat().st_size == len(picture):
                return suffix
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        try:
            with partial.open("wb") as file:
                file.write(picture)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        return suffix

    def read(self, sha256: str, suffix: str) -> bytes | None:
        """The picture, or None where it is gone or no longer what it was."""
        try:
            found = self.path(sha256, suffix).read_bytes()
        except OSError:
            return None
        return found if hashlib.sha256(found).hexdigest() == sha256 else None

    def remove(self, sha256: str, suffix: str) -> None:
        """Forget a picture; what cannot be removed now is swept away later."""
        with suppress(OSError):
            self.path(sha256, suffix).unlink(missing_ok=True)

    def sweep(self, part: int, known: Collection[str]) -> None:
        """Remove files of one of 256 parts that are none of those known, by SHA-256: a kill leaves such."""
        with suppress(OSError):
            for path in (self.folder / f"{part:02x}").iterdir():
                if path.stem not in known:
                    with suppress(OSError):
                        path.unlink()
