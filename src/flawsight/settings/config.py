"""Options from a file: YAML lines, or the inspector.json of a bundle, whose fit is then repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError, unknown
from flawsight.settings.base import RENAMED, Options, flag_of

MANIFEST_SUFFIX = ".json"


def read_config(path: Path, options: type[Options], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options in the file and, before them, those `given`; FlawsightError for names that the command has not.

    >>> _ = (tmp / "fit.yaml").write_text("image-size: 128")
    >>> read_config(tmp / "fit.yaml", FitSettings, {"seed": 7})
    {'image_size': 128, 'seed': 7}
    """
    found = _from_manifest(path, given) if path.suffix == MANIFEST_SUFFIX else _from_yaml(path)
    known = [*options.model_fields, *RENAMED]
    for name in found:
        if name not in known:
            dashed = [one.replace("_", "-") for one in options.model_fields]
            raise unknown("option", name.replace("_", "-"), dashed, remedy=f"(in the config file '{path}')")
    return {**found, **given}


def _from_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise FlawsightError(f"config file '{path}' cannot be read: {reason}") from error
    if not isinstance(found, dict):
        raise FlawsightError(f"config file '{path}' must hold 'option: value' lines, such as 'image-size: 256'")
    return {str(key).replace("-", "_"): value for key, value in found.items()}


def _from_manifest(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        settings, paths = dict(manifest["settings"].items()), list(manifest["settings_paths"])
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise FlawsightError(f"config file '{path}' cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise FlawsightError(f"'{path}' holds no settings: it is no inspector.json, or of an older version") from error
    missing = [name for name in paths if given.get(name) is None]
    if missing:
        flags = " and ".join(flag_of(name) for name in missing)
        raise FlawsightError(f"the fit in '{path}' also took {flags}, whose place it does not keep: say it again")
    if "image_size" in settings:  # before there were views, every picture was squashed
        settings.setdefault("view", "squash")
    return settings
