"""The alarm of drift of each bundle: told of every verdict, kept with it, begun anew by a person."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from flawsight.core import FlawsightError
from flawsight.inspection import drift_alarm
from flawsight.monitoring import Drift, DriftAlarm
from flawsight.settings import DriftOptions
from flawsight.station.bundles import Bundles, Loaded
from flawsight.station.history import DriftReset, DriftState, Entry, History


@dataclass(frozen=True)
class Standing:
    """So many pictures were seen, and the alarm that stands; it was raised so many seconds after 1970.

    >>> settings = fs.settings.ServeSettings.of({"bundles": bundle, "history": tmp / "history.db", "threads": 1})
    >>> with fs.station.Station(settings) as station:
    ...     station.standing()
    Standing(pictures=0, alarm=None, raised_at=None)
    """

    pictures: int
    alarm: Drift | None
    raised_at: float | None


class DriftWatch:
    """Alarms that outlive the station; for any number of threads.

    The state is written in the transaction of the verdicts that it was told of: after a kill each counts once. Another
    bundle, threshold or part that is judged begins it anew, as other options do.
    """

    def __init__(self, options: DriftOptions, history: History, bundles: Bundles) -> None:
        self._options, self._history = options, history
        self._lock = Lock()
        self._alarms: dict[str, DriftAlarm] = {}
        self._raised_at: dict[str, float | None] = {}
        self._digests: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        for name in bundles.names:
            self._raised_at[name] = None
            if (kept := history.drift(name)) is not None:
                try:
                    self._alarms[name], self._raised_at[name] = DriftAlarm.from_json(kept.state), kept.raised_at
                except FlawsightError as error:  # the line goes on, and somebody must know
                    self._problems[name] = f"the alarm of drift of '{name}' is begun anew: {error}"

    @property
    def problems(self) -> list[str]:
        """What people must know."""
        return list(self._problems.values())

    def keep(self, loaded: Loaded, entries: Sequence[Entry]) -> None:
        """Keep entries of a bundle in the history, and what they say of drift; NotKept where that fails."""
        with self._lock:
            alarm = self._of(loaded)
            for entry in entries:
                if entry.record.p_value is not None:
                    alarm.update(entry.record.p_value)
            if alarm.drift is not None and self._raised_at[loaded.name] is None:
                self._raised_at[loaded.name] = time.time()
            self._history.add(entries, DriftState(loaded.name, alarm.to_json(), self._raised_at[loaded.name]))

    def standing(self, loaded: Loaded) -> Standing:
        """How it is with a bundle."""
        with self._lock:
            alarm = self._of(loaded)
            return Standing(alarm.seen, alarm.drift, self._raised_at[loaded.name])

    def reset(self, loaded: Loaded, by: str, why: str) -> None:
        """Begin a bundle's alarm anew, its cause being mended; FlawsightError without a name and a reason."""
        if not by.strip() or not why.strip():
            raise FlawsightError("a change needs a name and a reason: say who changes it, and why")
        with self._lock:
            said = alarm.text if (alarm := self._of(loaded).drift) is not None else ""
            fresh = self._fresh(loaded)
            new = DriftState(loaded.name, fresh.to_json())
            self._history.reset_drift(new, DriftReset(time.time(), by.strip(), why.strip(), said))
            self._alarms[loaded.name], self._raised_at[loaded.name] = fresh, None
            self._problems.pop(loaded.name, None)

    def resets(self, name: str) -> list[DriftReset]:
        """When a bundle's alarm was begun anew, the newest first."""
        return self._history.drift_resets(name)

    def _of(self, loaded: Loaded) -> DriftAlarm:
        """The alarm of the bundle that runs now."""
        if self._digests.get(loaded.name) != loaded.digest:
            old, fresh = self._alarms.get(loaded.name), self._fresh(loaded)
            if old is None or any(getattr(old, one) != getattr(fresh, one) for one in SAME):
                self._alarms[loaded.name], self._raised_at[loaded.name] = fresh, None
            self._digests[loaded.name] = loaded.digest
        return self._alarms[loaded.name]

    def _fresh(self, loaded: Loaded) -> DriftAlarm:
        return drift_alarm(loaded.inspector, self._options.drift_rate, self._options.most_defective)


SAME = ("bundle", "rate", "most_defective")
"""What an alarm that goes on has in common with one that would be begun now."""
