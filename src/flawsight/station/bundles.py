"""The bundles of a station: each by its name, read again when asked, changed with who and why."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import numpy as np

from flawsight.bundle import Manifest, read_manifest, replace_manifest, restored, revised
from flawsight.bundle.store import MANIFEST
from flawsight.core import FlawsightError, sha256_of, unknown
from flawsight.inspection import Inspector
from flawsight.runtime import load
from flawsight.settings import GraphOptions
from flawsight.views import RegionOfInterest


class UnknownBundle(FlawsightError):
    """The station has no bundle of this name.

    >>> bundles = Bundles([bundle], fs.settings.GraphOptions(threads=1))
    >>> try:
    ...     bundles.get("bundel")
    ... except UnknownBundle as error:
    ...     print(error)
    unknown bundle 'bundel': did you mean bundle? known: bundle
    """


class ChangedOnDisk(FlawsightError):
    """The folder holds another bundle than the one that runs."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A bundle that runs: its name at the station, its folder, and the SHA-256 of its inspector.json.

    >>> loaded = Bundles([bundle], fs.settings.GraphOptions(threads=1)).get()
    >>> loaded.name, len(loaded.digest)
    ('bundle', 64)
    """

    name: str
    folder: Path
    inspector: Inspector
    digest: str
    loaded_at: float


class Bundles:
    """Named as their folders. What is read again takes the place of the old one only when it is whole and runs.

    >>> bundles = Bundles([bundle], fs.settings.GraphOptions(threads=1))
    >>> loaded = bundles.get()
    >>> loaded.inspector.inspect(dataset / "test" / "spot" / "000.png").verdict
    'defective'
    >>> bundles.get("nonsuch")
    Traceback (most recent call last):
        ...
    flawsight.station.bundles.UnknownBundle: unknown bundle 'nonsuch': known: bundle
    """

    def __init__(self, folders: Sequence[Path], options: GraphOptions, default: str | None = None) -> None:
        self._options = options
        self._lock = Lock()
        self._folders = _named(folders)
        self.default = default or next(iter(self._folders))
        if self.default not in self._folders:
            raise unknown("bundle", self.default, self.names)
        self._loaded = {name: self._read(name) for name in self._folders}

    @property
    def names(self) -> list[str]:
        """All of them, as they were given."""
        return list(self._folders)

    def get(self, name: str | None = None) -> Loaded:
        """The bundle of this name, or the default; UnknownBundle where there is none."""
        try:
            return self._loaded[name or self.default]
        except KeyError:
            raise UnknownBundle(str(unknown("bundle", str(name), self.names))) from None

    def reload(self, name: str | None = None) -> Loaded:
        """Read a bundle again; where that fails the one that runs goes on."""
        name = self.get(name).name
        with self._lock:
            self._loaded[name] = self._read(name)
        return self._loaded[name]

    def has_changed(self, name: str | None = None) -> bool:
        """Whether the folder holds another bundle than the one that runs, or none."""
        loaded = self.get(name)
        try:
            return sha256_of(loaded.folder / MANIFEST) != loaded.digest
        except OSError:
            return True

    def set_threshold(self, name: str | None, threshold: float, by: str, why: str) -> Loaded:
        """Put another threshold in force, in the bundle and here."""
        return self._change(name, lambda manifest, at: revised(manifest, by, at, why, threshold=threshold))

    def set_ignored(self, name: str | None, mask: np.ndarray | None, by: str, why: str) -> Loaded:
        """Leave pixels (H, W) bool of every picture out of maps and scores; None: nothing.

        FlawsightError where nothing would be left, or the method scores whole pictures.
        """
        inspector = self.get(name).inspector
        judged = ""
        if mask is not None and mask.any():
            if inspector.manifest.has_own_scores:
                raise FlawsightError("this method scores pictures as wholes: nothing can be left out of its scores")
            region = RegionOfInterest(~mask)
            try:
                inspector.view.frame(region.size, inspector.region).judging(region)
            except ValueError as error:  # NumPy, of pictures of other sizes
                raise FlawsightError(f"the mask is not as the pictures: {error}") from error
            judged = b64encode(region.png()).decode()
        return self._change(name, lambda manifest, at: revised(manifest, by, at, why, judged=judged))

    def restore(self, name: str | None, number: int, by: str, why: str) -> Loaded:
        """Put an earlier revision in force again."""
        return self._change(name, lambda manifest, at: restored(manifest, number, by, at, why))

    def undo(self, name: str | None, by: str, why: str) -> Loaded:
        """Put in force what was before the last change; FlawsightError where there was none."""
        before = len(self.get(name).inspector.manifest.revisions) - 2
        if before < 0:
            raise FlawsightError("nothing was changed since the fit")
        return self.restore(name, before, by, why)

    def _change(self, name: str | None, change: Callable[[Manifest, str], Manifest]) -> Loaded:
        with self._lock:
            loaded = self.get(name)
            if self.has_changed(loaded.name):
                raise ChangedOnDisk(f"'{loaded.folder}' was replaced since it was read: reload it, then change it")
            # As it lies on disk, for the one that runs may have the operating point of its graph.
            changed = change(read_manifest(loaded.folder), datetime.now(UTC).isoformat(timespec="seconds"))
            replace_manifest(changed, loaded.folder)
            inspector = Inspector(loaded.inspector.backend, changed.as_exported())
            digest = sha256_of(loaded.folder / MANIFEST)
            self._loaded[loaded.name] = Loaded(loaded.name, loaded.folder, inspector, digest, time.time())
            return self._loaded[loaded.name]

    def _read(self, name: str) -> Loaded:
        folder = self._folders[name]
        read_manifest(folder)  # says what is wrong with a folder that is no bundle
        digest = sha256_of(folder / MANIFEST)
        inspector = open_graph(folder, self._options)
        if sha256_of(folder / MANIFEST) != digest:
            raise ChangedOnDisk(f"'{folder}' was being written while it was read: try again")
        return Loaded(name, folder, inspector, digest, time.time())


def open_graph(folder: Path, options: GraphOptions) -> Inspector:
    """A bundle by its graph, never by torch, also where that is installed."""
    if options.backend == "torch" or read_manifest(folder).runtime is None:
        raise FlawsightError(
            f"a station runs graphs, never torch: `flawsight export {folder}` makes one where torch is installed"
        )
    return load(folder, backend=options.backend, threads=options.threads)


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in found:
            raise FlawsightError(f"two bundles are called '{name}': '{found[name]}' and '{folder}'; rename one")
        found[name] = folder
    if not found:
        raise FlawsightError("no bundle was named")
    return found
