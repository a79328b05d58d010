"""Record: what is kept of one picture that was inspected."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any, Literal

Label = Literal["good", "defective"]
Source = Literal["rest", "watch", "page"]


def new_id() -> str:
    """A name for one inspection, of which the later is the greater: 32 hexadecimal digits."""
    return f"{time.time_ns():016x}{os.urandom(8).hex()}"


@dataclass(frozen=True)
class Record:
    """What was said of a picture, when, by which bundle at which threshold, and what people say of it.

    `at`: seconds since 1970, by the machine's clock. `bundle_digest`: SHA-256 of its inspector.json. `picture` is what
    the picture was called, for people: it is never opened. `sha256` is of its bytes, `size` its (H, W). `regions` are
    those of `Region.to_dict`. An `error` has a `reason` and no score. `mark` is a person's label.
    """

    id: str
    at: float
    bundle: str
    bundle_digest: str
    picture: str
    source: Source
    sha256: str
    verdict: Literal["good", "defective", "error"]
    size: tuple[int, int] | None = None
    score: float | None = None
    p_value: float | None = None
    threshold: float | None = None
    reason: str = ""
    regions: tuple[dict[str, Any], ...] = ()
    mark: Label | None = None
    marked_by: str = ""
    marked_at: float | None = None
    has_picture: bool = False
    has_heatmap: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**vars(self), "regions": list(self.regions), "size": list(self.size) if self.size else None}


@dataclass(frozen=True)
class DriftState:
    """The state of a bundle's alarm of drift, as text, and when it was raised: seconds since 1970."""

    bundle: str
    state: str
    raised_at: float | None = None


@dataclass(frozen=True)
class DriftReset:
    """An alarm of drift was begun anew: when, by whom and why; `alarm` is what it said, empty where none stood."""

    at: float
    by: str
    why: str
    alarm: str


@dataclass(frozen=True, eq=False)
class Watched:
    """A file in a watched folder, as it was when it was read: by this it is known again after a restart."""

    path: str
    bytes: int
    modified_ns: int


@dataclass(frozen=True, eq=False)
class Entry:
    """A record with what is kept beside it, all of it or nothing.

    `thumbnail` is a JPEG, `heatmap` a grey PNG (the map on the bundle's colour scale, 0 to 255; the threshold is 128),
    `picture` the file as it came, if it is to be kept; `watched` is the file that it came from, if it was in a folder.
    """

    record: Record
    thumbnail: bytes | None = None
    heatmap: bytes | None = None
    picture: bytes | None = None
    watched: Watched | None = field(default=None)
