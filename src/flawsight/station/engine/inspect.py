"""What is done with a few pictures of one bundle: decoded, inspected, kept, answered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from flawsight.core import FlawsightError, readable
from flawsight.data import MAX_PIXELS, InMemory
from flawsight.inspection import Inspector, Result
from flawsight.station.bundles import Bundles, Loaded
from flawsight.station.engine.job import Answer, Job
from flawsight.station.engine.small import heatmap_png, thumbnail_jpeg
from flawsight.station.history import Entry, NotKept, Record, new_id
from flawsight.station.history.history import BORDERLINE

Keep = Callable[[Loaded, Sequence[Entry]], None]
"""Keeps entries of a bundle; NotKept where that fails."""
Seen = Callable[[Loaded, np.ndarray | None, Answer, float], None]
"""Told of every answer: with the picture's pixels, if it could be read, and the seconds since it was queued."""


class Inspecting:
    """Answers jobs: all that share a call share a transaction of the history, and none is answered before it."""

    def __init__(
        self, add: Keep, keep: Literal["stopped", "all", "none"], seen: Seen, max_pixels: int = MAX_PIXELS
    ) -> None:
        self._add, self._keep, self._seen, self._max_pixels = add, keep, seen, max_pixels

    def answer(self, bundles: Bundles, jobs: Sequence[Job]) -> None:
        """Set the futures of jobs of one bundle, whatever happens."""
        try:
            self._answer(bundles.get(jobs[0].bundle), jobs)
        except Exception as error:
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)

    def _answer(self, loaded: Loaded, jobs: Sequence[Job]) -> None:
        images = [self._decoded(loaded.inspector, job) for job in jobs]
        results = _inspected(loaded.inspector, images)
        entries = [
            self._entry(loaded, job, image, result) for job, image, result in zip(jobs, images, results, strict=True)
        ]
        try:
            self._add(loaded, entries)
            kept = True
        except NotKept:  # the line goes on; the history says what it lost
            kept = False
        for job, image, result, entry in zip(jobs, images, results, entries, strict=True):
            answer = Answer(entry.record, result if isinstance(result, Result) else None, kept)
            pixels = image if isinstance(image, np.ndarray) else None
            self._seen(loaded, pixels, answer, time.monotonic() - job.since)
            job.future.set_result(answer)

    def _decoded(self, inspector: Inspector, job: Job) -> np.ndarray | str:
        """The picture, or what is wrong with it."""
        try:
            return inspector.read(InMemory(job.name, job.picture), self._max_pixels)
        except FlawsightError as error:
            return str(error)
        except MemoryError:
            return f"{job.name} is too large for this machine's memory"

    def _entry(self, loaded: Loaded, job: Job, image: np.ndarray | str, result: Result | str) -> Entry:
        common: dict[str, Any] = {
            "id": new_id(),
            "at": time.time(),
            "bundle": loaded.name,
            "bundle_digest": loaded.digest,
            "picture": readable(job.name),
            "source": job.source,
            "sha256": hashlib.sha256(job.picture).hexdigest(),
        }
        keep_all, keep_some = self._keep == "all", self._keep != "none"
        if isinstance(image, str) or isinstance(result, str):
            reason = readable(image if isinstance(image, str) else result)
            record = Record(**common, verdict="error", reason=reason, has_picture=keep_all)
            return Entry(record, picture=job.picture if keep_all else None, watched=job.watched)
        manifest = loaded.inspector.manifest
        is_near = result.is_defective or result.p_value < BORDERLINE * manifest.operating_point.rate
        is_shown = keep_all or (keep_some and is_near)
        record = Record(
            **common,
            verdict="defective" if result.is_defective else "good",
            size=(image.shape[0], image.shape[1]),
            score=result.score,
            p_value=result.p_value,
            threshold=loaded.inspector.threshold,
            regions=tuple(region.to_dict() for region in result.regions),
            has_picture=is_shown,
            has_heatmap=is_shown,
        )
        return Entry(
            record,
            thumbnail=thumbnail_jpeg(image),
            heatmap=heatmap_png(result.anomaly_map, manifest.colour_scale) if is_shown else None,
            picture=job.picture if is_shown else None,
            watched=job.watched,
        )


def _inspected(inspector: Inspector, images: Sequence[np.ndarray | str]) -> list[Result | str]:
    """A result for each image; where they fail together, one by one, so that no other pays for it."""
    whole = [image for image in images if isinstance(image, np.ndarray)]
    try:
        found: list[Result | str] = list(inspector.inspect_many(whole))
    except Exception:
        found = [_alone(inspector, image) for image in whole]
    results = iter(found)
    return [next(results) if isinstance(image, np.ndarray) else image for image in images]


def _alone(inspector: Inspector, image: np.ndarray) -> Result | str:
    try:
        return next(inspector.inspect_many([image]))
    except FlawsightError as error:
        return str(error)
    except (MemoryError, RuntimeError, ValueError) as error:  # of the runtime and of NumPy
        return f"it could not be inspected ({type(error).__name__}: {error})"
