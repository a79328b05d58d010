"""The alarm of drift of an inspector: begun from its calibration, gone on with from a file, told of results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from flawsight.core import FlawsightError, cache_key
from flawsight.inspection.folder import ResultRow
from flawsight.inspection.inspector import Inspector
from flawsight.monitoring import DriftAlarm


def drift_alarm(inspector: Inspector, rate: float = 0.01, most_defective: float = 0.05) -> DriftAlarm:
    """A new one; it belongs to what makes this inspector's p-values: calibration, threshold, and what is judged.

    >>> alarm = drift_alarm(inspector)
    >>> alarm.update(inspector.inspect(dataset / "test" / "spot" / "000.png").p_value), alarm.seen
    (False, 1)
    """
    manifest = inspector.manifest
    point, scores = manifest.operating_point, np.array(manifest.calibration.scores)
    return DriftAlarm(
        rate,
        stops=point.rate,
        most_defective=most_defective,
        calibration_size=len(scores),
        bundle=cache_key("drift", scores, repr(point.threshold), manifest.judged),
    )


def open_drift(path: Path, fresh: DriftAlarm) -> DriftAlarm:
    """The alarm in a file, or `fresh`, written there, where there is none; FlawsightError where it is another's.

    >>> alarm = open_drift(tmp / "drift.json", drift_alarm(inspector))
    >>> open_drift(tmp / "drift.json", drift_alarm(inspector)).seen, (tmp / "drift.json").is_file()
    (0, True)
    """
    if not path.exists():
        fresh.save(path)
        return fresh
    found = DriftAlarm.load(path)
    if found.bundle != fresh.bundle:
        raise FlawsightError(
            f"the state of drift '{path}' belongs to another bundle, threshold or backend: name another file, in which "
            "a new one is begun"
        )
    for name, words in (("rate", "drift rate"), ("most_defective", "most defective")):
        if (old := getattr(found, name)) != (new := getattr(fresh, name)):
            raise FlawsightError(
                f"the state of drift '{path}' was begun with a {words} of {old:g}, not {new:g}: say the same, or name "
                "another file"
            )
    return found


def follow(alarm: DriftAlarm, rows: Iterable[ResultRow]) -> None:
    """Tell an alarm of results, in their order; errors have no p-value, and count for nothing.

    >>> alarm = drift_alarm(inspector)
    >>> follow(alarm, inspect_to_folder(inspector, [good], tmp))
    >>> alarm.seen, alarm.drift
    (12, None)
    """
    for row in rows:
        if row.p_value is not None:
            alarm.update(row.p_value)
