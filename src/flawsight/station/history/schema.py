"""The tables, and the steps by which a file of an older version becomes one of this."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from flawsight.core import FlawsightError

APPLICATION = 0x464C5753
"""Says in the file's head that it is ours."""

# Order is that of `seq`: clocks jump. `kept` is the history's own clock. `score_bits` are the score's 64 bits as a
# number, so that SQL can hand out a million scores at once, exactly. The watched files outlive their records: a picture
# that stays in its folder is not inspected again.
_FIRST = """
CREATE TABLE records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, kept REAL NOT NULL,
    bundle TEXT NOT NULL, bundle_digest TEXT NOT NULL, picture TEXT NOT NULL, source TEXT NOT NULL,
    sha256 TEXT NOT NULL, verdict TEXT NOT NULL, height INTEGER, width INTEGER,
    score REAL, score_bits INTEGER, p_value REAL, threshold REAL, reason TEXT NOT NULL, regions TEXT NOT NULL,
    mark TEXT, marked_by TEXT NOT NULL DEFAULT '', marked_at REAL,
    has_picture INTEGER NOT NULL, has_heatmap INTEGER NOT NULL
);
CREATE INDEX by_age ON records (kept);
CREATE INDEX by_verdict ON records (bundle, verdict);
CREATE INDEX by_time ON records (bundle, at, verdict, score_bits, mark, id);
CREATE INDEX by_picture ON records (sha256) WHERE has_picture;
CREATE INDEX by_mark ON records (bundle, mark) WHERE mark IS NOT NULL;
CREATE INDEX to_review ON records (bundle, verdict) WHERE has_picture AND mark IS NULL;
CREATE TABLE images (seq INTEGER PRIMARY KEY, thumbnail BLOB, heatmap BLOB);
CREATE TABLE pictures (sha256 TEXT PRIMARY KEY, suffix TEXT NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE watched (path BLOB PRIMARY KEY, bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL, id TEXT NOT NULL);
CREATE TABLE outbox (sink TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (sink, seq)) WITHOUT ROWID;
CREATE TABLE clock (own REAL NOT NULL, wall REAL NOT NULL);
"""
# One alarm of drift for each bundle, written with the verdicts that it was told of; and who ended one, and why.
_DRIFT = """
CREATE TABLE drift (bundle TEXT PRIMARY KEY, state TEXT NOT NULL, raised_at REAL) WITHOUT ROWID;
CREATE TABLE drift_resets (
    seq INTEGER PRIMARY KEY, bundle TEXT NOT NULL, at REAL NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL,
    alarm TEXT NOT NULL
);
"""
STEPS: tuple[str, ...] = (_FIRST, _DRIFT)
"""What makes version n + 1 of version n, from an empty file on."""


def migrate(connection: sqlite3.Connection, path: Path, steps: Sequence[str] = STEPS) -> None:
    """Bring a file to the newest version, step by step; FlawsightError for a newer one, or one that is not ours."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(steps):
        raise FlawsightError(
            f"the history '{path}' was written by a newer version of Flawsight (format {version}, this one knows "
            f"{len(steps)}): update Flawsight, or choose another --history"
        )
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
    if not ours and (version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]):
        raise FlawsightError(f"'{path}' is a database of something else: choose another --history")
    for number, step in enumerate(steps[version:], version + 1):
        # One transaction: what is killed in the middle is as before.
        connection.executescript(
            f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION}; COMMIT;"
        )
