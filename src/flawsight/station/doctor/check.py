"""Check: one thing that was looked at, what was found, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "failed"]
UNKNOWN = "not known on this system"


@dataclass(frozen=True)
class Check:
    """`found` is what was seen, with figures; `remedy` what to do, empty where all is well."""

    name: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All that was looked at."""

    checks: tuple[Check, ...]

    def count(self, state: State) -> int:
        """How many checks ended so."""
        return sum(check.state == state for check in self.checks)

    @property
    def has_failed(self) -> bool:
        """Whether a station would not run here."""
        return self.count("failed") > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        counts = {"ok": self.count("ok"), "warning": self.count("warning"), "failed": self.count("failed")}
        return {**counts, "checks": [asdict(check) for check in self.checks]}
