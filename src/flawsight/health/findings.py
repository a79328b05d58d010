"""What a check says: findings, each with the files it is about and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flawsight.core import readable

Severity = Literal["error", "warning", "remark"]
_MOST_NAMED = 5
_TITLES = {
    "unreadable": "Cannot be read",
    "format": "Saved in different ways",
    "layout": "Not only good parts",
    "too_few": "Too few pictures",
    "heat_maps": "Written by Flawsight",
    "left_out": "Left out",
    "taken_for_granted": "Taken for granted",
    "duplicates": "The same picture twice",
    "near_duplicates": "Nearly the same picture",
    "groups": "Many pictures of the same",
    "blank": "Nothing to see",
    "thumbnails": "Thumbnails",
    "size": "Another size",
    "proportions": "Other proportions",
    "brightness": "Too dark or too bright",
    "sharpness": "Blurred",
    "stranger": "Looks like something else",
}


@dataclass(frozen=True)
class Finding:
    """One kind of thing that is wrong: the files, a sentence on it, and what to do about it.

    `severity` is `error` for what a fit refuses, `warning` for what spoils what is learned, `remark` for what is said
    so that nothing is silent. `groups` parts the files where several belong together, such as copies of each other.

    >>> finding = Finding("blank", "warning", (good / "000.png",), "1 picture is of one colour", "take it out")
    >>> finding.sentence, finding.title
    ('1 picture is of one colour (000.png): take it out', 'Nothing to see')
    """

    kind: str
    severity: Severity
    files: tuple[Path, ...]
    text: str
    advice: str
    groups: tuple[tuple[Path, ...], ...] = ()

    @property
    def title(self) -> str:
        """A heading of a few words."""
        return _TITLES.get(self.kind, self.kind)

    @property
    def named(self) -> str:
        """The first few files, those that belong together with = between them."""
        said = [" = ".join(path.name for path in group[:3]) + _more(group, 3) for group in self.groups]
        return readable(_few(said or [path.name for path in self.files]))

    @property
    def sentence(self) -> str:
        """All of it in one sentence without a full stop."""
        is_said = all(path.name in self.text for path in self.files[:1])
        names = "" if is_said else f" ({self.named})"
        return readable(f"{self.text}{names}: {self.advice}" if self.advice else f"{self.text}{names}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + _more(names, _MOST_NAMED)


def _more(all_: Sequence[object], most: int) -> str:
    return f" and {len(all_) - most} more" if len(all_) > most else ""


@dataclass(frozen=True)
class HealthReport:
    """How many pictures were looked at, and the findings, the gravest first; `typical` is a usual picture.

    >>> report = check_folder(good).report
    >>> report.pictures, report.findings
    (12, ())
    """

    pictures: int
    findings: tuple[Finding, ...] = ()
    typical: Path | None = None

    @property
    def has_errors(self) -> bool:
        """Whether a fit would refuse the folder."""
        return any(one.severity == "error" for one in self.findings)

    def of_kind(self, *kinds: str) -> list[Finding]:
        """The findings of these kinds.

        >>> check_folder(good).report.of_kind("duplicates")
        []
        """
        return [one for one in self.findings if one.kind in kinds]

    def count(self, severity: Severity) -> int:
        """How many findings there are of a severity."""
        return sum(one.severity == severity for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "pictures": self.pictures,
            **{f"{severity}s": self.count(severity) for severity in ("error", "warning", "remark")},
            "typical": None if self.typical is None else str(self.typical),
            "findings": [
                {
                    "kind": one.kind,
                    "severity": one.severity,
                    "text": one.text,
                    "advice": one.advice,
                    "files": [str(path) for path in one.files],
                    **({"groups": [[str(path) for path in group] for group in one.groups]} if one.groups else {}),
                }
                for one in self.findings
            ],
        }


def graver_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors, warnings, remarks."""
    order: dict[Severity, int] = {"error": 0, "warning": 1, "remark": 2}
    return tuple(sorted(findings, key=lambda one: order[one.severity]))
