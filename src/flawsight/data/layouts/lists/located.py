"""Finding the files that a list names, whatever machine it was written on."""

import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.listing import list_images

_ANCHOR = re.compile(r"^(?:[a-z][a-z0-9+.-]+://[^/]*|[a-z]:|/)/*", re.IGNORECASE)
"""What an absolute path begins with: s3://bucket/, C:/, /."""


class Located:
    """Images and masks below a folder, found by the paths in a list: with `/` or `\\`, in any case.

    Of a path from another machine the longest end that exists below the folder counts; `elsewhere` notes these.
    """

    def __init__(self, folder: Path, is_loose: bool = False) -> None:
        self.folder = folder
        self.is_loose = is_loose
        self.elsewhere: list[str] = []

    def find(self, where: str, name: str) -> Path:
        """The file; FlawsightError that says where the name stands if there is none, or more than one."""
        name = str(name)  # whatever the list holds
        for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
            if name and _is_file(self.folder / spelling):
                return self.folder / spelling
        ending = _ANCHOR.sub("", name.replace("\\", "/"))
        is_foreign = ending != name.replace("\\", "/")
        parts = tuple(part.casefold() for part in ending.split("/") if part not in ("", ".", ".."))
        needed = 1 if is_foreign or self.is_loose else len(parts)
        shared = [
            (_common_end(parts, own), own, path) for own, path in self._by_name.get(parts[-1] if parts else "", ())
        ]
        longest = max((length for length, *_ in shared), default=0)
        best = [(own, path) for length, own, path in shared if length == longest]
        whole = [path for own, path in best if len(own) == longest]
        found = whole or [path for _, path in best]
        if not parts or longest < needed:
            raise FlawsightError(
                f"{where}: no such file: {self.folder / name}; paths are relative to the folder {self.folder}"
            )
        if len(found) > 1:
            names = " or ".join(str(path.relative_to(self.folder)) for path in found[:3])
            raise FlawsightError(f"{where}: {name} may be {names}; write the path relative to {self.folder}")
        if is_foreign:
            self.elsewhere.append(name)
        return found[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found elsewhere than it was said to be."""
        if not self.elsewhere:
            return ()
        count, first = len(self.elsewhere), self.elsewhere[0]
        return (f"{count} paths of another place, such as {first}, were found below {self.folder}",)

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[tuple[str, ...], Path]]]:
        by_name = defaultdict(list)
        for path in list_images(self.folder).images:
            parts = tuple(part.casefold() for part in path.relative_to(self.folder).parts)
            by_name[parts[-1]].append((parts, path))
        return by_name


def _common_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    length = 0
    while length < min(len(one), len(other)) and one[-1 - length] == other[-1 - length]:
        length += 1
    return length


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False
