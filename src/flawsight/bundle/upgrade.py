"""Manifests of earlier formats, as today's."""

from __future__ import annotations

from typing import Any, Literal

from flawsight.core import FlawsightError

CURRENT: Literal[6] = 6


def upgraded(data: Any) -> Any:
    """A manifest as parsed from JSON, in today's form where it is of an earlier one; anything else as it is."""
    version = data.get("format") if isinstance(data, dict) else None
    if isinstance(version, int) and version > CURRENT:
        maker = str((data.get("versions") or {}).get("flawsight", "a newer version"))
        raise FlawsightError(
            f"a bundle of format {version}, made by Flawsight {maker}; this Flawsight reads formats up to {CURRENT}: "
            "update it"
        )
    if version == 5:  # before revisions
        return {**data, "format": CURRENT}
    if version not in (2, 3, 4):
        return data
    try:
        # Format 4 is 3 with what runs without torch.
        return _from_4(_from_2(data) if version == 2 else data)
    except (KeyError, TypeError, ValueError) as error:
        raise FlawsightError(f"a manifest of format {version} that is not whole ({error})") from error


def _from_4(old: dict[str, Any]) -> dict[str, Any]:
    """Before format 5 every picture was squashed, and a score that is no map's maximum showed in the thresholds."""
    own = old["operating_point"]["threshold"] != old["colour_scale"]["threshold"]
    view = {"kind": "squash", "side": old["extractor"]["image_size"]}
    return {**old, "format": CURRENT, "view": view, "has_own_scores": own}


def _from_2(old: dict[str, Any]) -> dict[str, Any]:
    """Format 2: scales lay flat in a member, derived figures in the working point, and images were `picture`s."""
    data = dict(old)
    point = dict(data.pop("working_point"))
    data["calibration"] = {
        "method": point.pop("method"), "folds": point.pop("folds"), "scores": point.pop("calibration_scores")
    }  # fmt: skip
    del point["needed_images"]
    data["operating_point"] = {**point, "calibration_size": len(data["calibration"]["scores"])}
    data["members"] = [_member_from_2(member) for member in old["members"]]
    about = dict(data["data"])
    about["label_preserving"] = about.pop("safe")
    about["sources_digest"] = about.pop("material", "")
    data["data"] = about
    return data


def _member_from_2(old: dict[str, Any]) -> dict[str, Any]:
    detector = dict(old["detector"])
    parameters = dict(detector["parameters"])
    if "at_once" in parameters:
        parameters["micro_batch_size"] = parameters.pop("at_once")
    # Format 2 did not say who looks at images as wholes.
    localizes = detector["name"] not in ("knn", "ocsvm") and parameters.get("maps") != "none"
    return {
        "layers": ["image" if name == "picture" else name for name in old["layers"]],
        "detector": {**detector, "parameters": parameters, "localizes": localizes},
        "calibration": {
            "maps": {"knots": old["surprise_knots"], "tail_scale": old["surprise_tail"]},
            "scores": {"mean": old["score_mean"], "deviation": old["score_deviation"]},
            "weight": old["weight"],
        },
    }
