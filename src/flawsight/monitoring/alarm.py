"""DriftAlarm: p-values of inspected pictures in, an alarm out when production is no longer what it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from flawsight.core import FlawsightError, read_model, write_whole
from flawsight.monitoring.bets import SHARES, STEPS, likely_share, looks_like, on_rank, on_stop
from flawsight.monitoring.ranks import Ranks
from flawsight.monitoring.wealth import Wealth

CELLS = 10_000
"""P-values are told apart to this where no calibration says how finely: what is kept has an end."""
Kind = Literal["higher", "lower", "crowded", "stopped"]
_GIVEN = ("rate", "stops", "most_defective", "calibration_size", "bundle", "seed")
_WORDS: dict[Kind, str] = {
    "higher": "the pictures that pass score higher than before",
    "lower": "the pictures that pass score lower than before",
    "crowded": "the scores of the pictures that pass crowd in one place, as when a camera repeats a picture",
    "stopped": "more pictures are stopped than defective parts explain",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Drift(_Strict):
    """What an alarm says: how pictures differ from before, at which picture it was noticed, and since about which.

    >>> Drift(kind="lower", picture=540, since=512).text
    'the pictures that pass score lower than before, from about picture 512 on (noticed at 540): look at ...'
    """

    kind: Kind
    picture: int
    since: int

    @property
    def text(self) -> str:
        """A sentence for people."""
        look = "the parts, the camera, its lens" if self.kind == "stopped" else "the camera, its lens"
        return (
            f"{_WORDS[self.kind]}, from about picture {self.since:,} on (noticed at {self.picture:,}): look at "
            f"{look}, the light and the material"
        )


class _Bets(_Strict):
    """A `Wealth` as it is kept."""

    money: list[float]
    grown: list[float]
    begun: list[int]
    steps: int


class _State(_Strict):
    """All of a `DriftAlarm`; `counts` of the cells where there are any."""

    format: Literal[1] = 1
    rate: float
    stops: float
    most_defective: float
    calibration_size: int | None
    bundle: str
    seed: int
    seen: int
    counts: dict[int, int]
    passed: _Bets
    stopped: _Bets
    drift: Drift | None


class DriftAlarm:
    """Given the p-value of every picture, in order; `update` says whether an alarm stands, which then stays.

    While production is unchanged there is ever an alarm with a probability of at most `rate`. `stops`: the stated rate
    of the threshold, as pictures with a p-value up to it are stopped; `calibration_size`: so many good pictures stated
    it, None for p-values that are exact. Of all parts at most `most_defective` are defective. `bundle`: whose it is.

    >>> alarm, rng = DriftAlarm(rate=0.01), np.random.default_rng(0)
    >>> any(alarm.update(p) for p in rng.uniform(size=500)), any(alarm.update(p) for p in rng.uniform(0, 0.3, 100))
    (False, True)
    >>> DriftAlarm.load(alarm.save(tmp / "drift.json")).drift.kind
    'higher'
    """

    def __init__(
        self,
        rate: float = 0.01,
        *,
        stops: float = 0.01,
        most_defective: float = 0.05,
        calibration_size: int | None = None,
        bundle: str = "",
        seed: int = 0,
    ) -> None:
        for name, value in (("rate", rate), ("most_defective", most_defective)):
            if not 0 < value < 1:
                raise FlawsightError(f"{name} of an alarm of drift must lie strictly between 0 and 1, got {value}")
        self.rate, self.stops, self.most_defective = rate, stops, most_defective
        self.calibration_size, self.bundle, self.seed = calibration_size, bundle, seed
        self.seen = 0
        self.drift: Drift | None = None
        self._cells = CELLS if calibration_size is None else calibration_size + 1
        self._stopping = math.floor(stops * self._cells + 1e-6)
        luck = stops if calibration_size is None else likely_share(stops, calibration_size, rate / 4)
        self._allowed = most_defective + (1 - most_defective) * luck
        self._ranks = Ranks(self._cells, seed, calibration_size is not None, self._stopping)
        self._passed, self._stopped = Wealth(SHARES), Wealth((1 / len(STEPS),) * len(STEPS))

    def update(self, p_value: float) -> bool:
        """Take the next picture's p-value; whether an alarm stands."""
        if not 0 < p_value <= 1:
            raise FlawsightError(f"a p-value lies above 0 and is at most 1, got {p_value}")
        self.seen += 1
        if self.drift is None:
            cell = max(1, math.ceil(p_value * self._cells - 1e-6))
            is_stopped = cell <= self._stopping
            # The chance of a false alarm: a half for the ranks, a quarter for the stopped, and a quarter for the luck
            # of the calibration, which `_allowed` has.
            if self._stopped.play(on_stop(is_stopped, self._allowed), self.seen) >= 4 / self.rate:
                self._raise("stopped", self._stopped)
            elif not is_stopped and self._passes(cell) >= 2 / self.rate:
                self._raise(looks_like(self._passed.best), self._passed)
        return self.drift is not None

    def told(self) -> dict[str, Any]:
        """Plain JSON values: how many pictures were seen, and the alarm, None where there is none."""
        alarm = None if self.drift is None else {**self.drift.model_dump(), "text": self.drift.text}
        return {"pictures": self.seen, "alarm": alarm}

    def _passes(self, cell: int) -> float:
        return self._passed.play(on_rank(self._ranks.rank(cell)), self.seen)

    def _raise(self, kind: Kind, bets: Wealth) -> None:
        self.drift = Drift(kind=kind, picture=self.seen, since=bets.begun[bets.best])

    def to_json(self) -> str:
        """All of it, to go on with elsewhere."""
        counts = self._ranks.counts
        return _State(
            **{name: getattr(self, name) for name in _GIVEN},
            seen=self.seen,
            counts={cell: int(counts[cell]) for cell in np.flatnonzero(counts).tolist()},
            passed=_Bets(**self._passed.kept()),
            stopped=_Bets(**self._stopped.kept()),
            drift=self.drift,
        ).model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` gave."""
        try:
            return cls._of(_State.model_validate_json(text))
        except ValidationError as error:
            raise FlawsightError(f"this is no state of an alarm of drift: {error.errors()[0]['msg']}") from error

    def save(self, path: str | Path) -> Path:
        """Write it, whole or not at all."""
        return write_whole(Path(path), self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, and go on; FlawsightError where it is damaged."""
        return cls._of(read_model(Path(path), _State, "the state of drift in", "name another file, or remove it"))

    @classmethod
    def _of(cls, state: _State) -> Self:
        alarm = cls(**{name: getattr(state, name) for name in _GIVEN})
        alarm.seen, alarm.drift = state.seen, state.drift
        alarm._ranks.take(state.counts)
        alarm._passed.take(**state.passed.model_dump())
        alarm._stopped.take(**state.stopped.model_dump())
        return alarm
