"""GET /v1/bundles, and what changes a bundle."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from flawsight.station.bundles import Loaded
from flawsight.station.rest.models import (
    BundleModel,
    BundlesModel,
    Change,
    DriftAlarmModel,
    DriftModel,
    DriftResetModel,
    RevisionModel,
    ThresholdChange,
)
from flawsight.station.rest.problems import documented
from flawsight.station.station import Station

Name = Annotated[str, Path(max_length=255)]
_PROBLEMS = documented(400, 401, 403, 404, 408, 409, 413, 421, 422, 500, 503)


def bundle_routes(station: Station) -> APIRouter:
    """What runs, and at which operating point."""
    routes = APIRouter(prefix="/v1/bundles", tags=["bundles"], responses=_PROBLEMS)
    bundles = station.bundles

    @routes.get("")
    def all_of_them() -> BundlesModel:
        """The bundles of this station."""
        return BundlesModel(bundles=[_model(station, bundles.get(name)) for name in bundles.names])

    @routes.get("/{name}")
    def one(name: Name) -> BundleModel:
        """One of them."""
        return _model(station, bundles.get(name))

    @routes.post("/{name}/reload")
    def reload(name: Name) -> BundleModel:
        """Read it from the disk again; where that fails the one that runs goes on."""
        return _model(station, bundles.reload(name))

    @routes.post("/{name}/threshold")
    def set_threshold(name: Name, change: ThresholdChange) -> BundleModel:
        """Put another threshold in force, here and in the bundle's folder."""
        return _model(station, bundles.set_threshold(name, change.threshold, change.by, change.why))

    @routes.post("/{name}/undo")
    def undo(name: Name, change: Change) -> BundleModel:
        """Put in force what was before the last change."""
        return _model(station, bundles.undo(name, change.by, change.why))

    @routes.get("/{name}/drift")
    def drift(name: Name) -> DriftModel:
        """Whether an alarm of drift stands, and who began it anew."""
        return _drift(station, name)

    @routes.post("/{name}/drift/reset")
    def reset_drift(name: Name, change: Change) -> DriftModel:
        """Begin the alarm of drift anew, its cause being mended."""
        station.reset_drift(name, change.by, change.why)
        return _drift(station, name)

    return routes


def _drift(station: Station, name: str) -> DriftModel:
    now = station.standing(name)
    alarm = None
    if now.alarm is not None:
        alarm = DriftAlarmModel(**now.alarm.model_dump(), text=now.alarm.text, raised_at=now.raised_at)
    resets = [DriftResetModel(**vars(one)) for one in station.drift_resets(name)]
    return DriftModel(pictures=now.pictures, alarm=alarm, resets=resets)


def _model(station: Station, loaded: Loaded) -> BundleModel:
    manifest = loaded.inspector.manifest
    point = manifest.operating_point
    return BundleModel(
        name=loaded.name,
        is_default=loaded.name == station.bundles.default,
        digest=loaded.digest,
        backend=loaded.inspector.backend.name,
        detectors=[member.detector.name for member in manifest.members],
        layers=[list(layers) for layers in manifest.layers],
        view=manifest.view.text,
        threshold=point.threshold,
        false_alarm_rate=point.rate,
        images=manifest.data.images,
        changed_on_disk=station.bundles.has_changed(loaded.name),
        revisions=[
            RevisionModel(
                number=number,
                at=one.at,
                by=one.by,
                why=one.why,
                threshold=one.point.threshold,
                false_alarm_rate=one.point.rate,
                judges_all=not one.judged,
            )
            for number, one in enumerate(manifest.revisions)
        ],
    )
