"""Changes of a bundle's operating point, and of what counts of a picture: each with who, when and why."""

from __future__ import annotations

from dataclasses import replace

from flawsight.bundle.manifest import Manifest
from flawsight.bundle.revision import Revision
from flawsight.core import FlawsightError
from flawsight.metrics import OperatingPoint, rate_at
from flawsight.scoring import ColourScale

BY_FIT = "fit"


def revised(
    manifest: Manifest, by: str, at: str, why: str, threshold: float | None = None, judged: str | None = None
) -> Manifest:
    """The manifest with another threshold, or with other pixels that are judged (a PNG in base64; "" for all).

    The false-alarm rate that goes with it is stated by the calibration scores. Where the graph has an operating point
    of its own, that is the one. FlawsightError where `by` or `why` is empty, or colours cannot show the threshold.

    >>> manifest = revised(read_manifest(bundle), "A. Smith", "2026-01-07T09:30:00+00:00", "a test", threshold=9.5)
    >>> manifest.operating_point.threshold, manifest.operating_point.rate < 0.2
    (9.5, True)
    """
    now = manifest.as_exported()
    point, scale = now.operating_point, manifest.colour_scale.threshold
    if threshold is not None:
        rate = rate_at(threshold, now.calibration.scores)
        point = OperatingPoint(min(rate, 1 - 1e-9), rate, float(threshold), point.calibration_size)
        scale = scale if manifest.has_own_scores else float(threshold)
    return _in_force(manifest, by, at, why, point, scale, manifest.judged if judged is None else judged)


def restored(manifest: Manifest, number: int, by: str, at: str, why: str) -> Manifest:
    """The manifest with what was in force in an earlier revision, as a revision of its own.

    >>> manifest = revised(read_manifest(bundle), "A. Smith", "2026-01-07T09:30:00+00:00", "a test", threshold=9.5)
    >>> again = restored(manifest, 0, "A. Smith", "2026-01-07T09:40:00+00:00", "the test is over")
    >>> again.operating_point == read_manifest(bundle).operating_point, len(again.revisions)
    (True, 3)
    """
    if not 0 <= number < len(manifest.revisions):
        raise FlawsightError(f"there is no revision {number}: the bundle has {len(manifest.revisions)}")
    old = manifest.revisions[number]
    return _in_force(manifest, by, at, why, old.point, old.colour_threshold, old.judged)


def _in_force(
    manifest: Manifest, by: str, at: str, why: str, point: OperatingPoint, scale: float, judged: str
) -> Manifest:
    if not by.strip() or not why.strip():
        raise FlawsightError("a change needs a name and a reason: say who changes it, and why")
    try:
        colours = replace(manifest.colour_scale, threshold=scale)
    except FlawsightError as error:
        raise FlawsightError(
            f"a threshold of {scale:g} is no higher than what ordinary good pixels score "
            f"({manifest.colour_scale.low:g}): choose a higher one"
        ) from error
    before = manifest.revisions or (_first(manifest),)
    new = Revision(at=at, by=by.strip(), why=why.strip(), point=point, colour_threshold=scale, judged=judged)
    changed: dict[str, object] = {"revisions": (*before, new), "colour_scale": colours, "judged": judged}
    if manifest.runtime is not None and manifest.runtime.operating_point is not None:
        changed["runtime"] = manifest.runtime.model_copy(update={"operating_point": point})
    else:
        changed["operating_point"] = point
    return manifest.model_copy(update=changed)


def _first(manifest: Manifest) -> Revision:
    """What the fit left."""
    scale: ColourScale = manifest.colour_scale
    point = manifest.as_exported().operating_point
    return Revision(at="", by=BY_FIT, why="", point=point, colour_threshold=scale.threshold, judged=manifest.judged)
