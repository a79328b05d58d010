"""Names of heat maps: told apart on every file system, and near the pictures' own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from flawsight.core import FlawsightError, safe_name, same_name


def heatmap_paths(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """A picture's name for each image: its stem, led by as many of its folders as it takes to tell all apart.

    >>> from pathlib import Path
    >>> from flawsight.inspection.names import heatmap_paths
    >>> [path.name for path in heatmap_paths([Path("a/x.png"), Path("b/x.png")], Path("heatmaps")).values()]
    ['a_x.png', 'b_x.png']
    """
    trails = [(*path.relative_to(path.anchor).parts[:-1], path.stem) for path in paths]
    names: list[str] = []
    for depth in range(1, max(map(len, trails), default=1) + 1):
        longer = [safe_name("_".join(trail[-depth:])) for trail in trails]
        if _different(longer) > _different(names):
            names = longer
        if _different(names) == len(names):
            break
    return {path: folder / f"{name}.png" for path, name in zip(paths, _numbered(names), strict=True)}


def _different(names: Sequence[str]) -> int:
    return len({same_name(name) for name in names})


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, with a number after those that some file system would take for one before them."""
    wanted, taken, found = {same_name(name) for name in names}, set[str](), []
    for name in names:
        free = name
        for number in count(2):
            if same_name(free) not in taken and (free == name or same_name(free) not in wanted):
                break
            free = f"{name}_{number}"
        taken.add(same_name(free))
        found.append(free)
    return found


def refuse_overwriting(heatmaps: dict[Path, Path]) -> None:
    """Raise where a heat map would take the place of one of the pictures."""
    pictures = {path.absolute() for path in heatmaps}
    taken = next((picture for picture in heatmaps.values() if picture.absolute() in pictures), None)
    if taken is not None:
        raise FlawsightError(f"the heat map '{taken}' would take the place of a picture: choose another --out")
