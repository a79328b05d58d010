"""Names of heat maps: told apart on every file system, and near the pictures' own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flawsight.core import FlawsightError, safe_name, same_name


def heatmap_paths(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """A picture's name for each image: its stem, led by as many of its folders as it takes to tell all apart.

    >>> [path.name for path in heatmap_paths([Path("a/x.png"), Path("b/x.png")], Path("heatmaps")).values()]
    ['a_x.png', 'b_x.png']
    """
    trails = [(*path.relative_to(path.anchor).parts[:-1], path.stem) for path in paths]
    for depth in range(1, max(map(len, trails), default=1) + 1):
        names = [safe_name("_".join(trail[-depth:])) for trail in trails]
        if len({same_name(name) for name in names}) == len(names):
            break
    else:  # the same stem with two suffixes in one folder, or names that some system takes for one: number them
        names = [f"{safe_name(path.stem)}_{number}" for number, path in enumerate(paths)]
    return {path: folder / f"{name}.png" for path, name in zip(paths, names, strict=True)}


def refuse_overwriting(heatmaps: dict[Path, Path]) -> None:
    """Raise where a heat map would take the place of one of the pictures."""
    pictures = {path.absolute() for path in heatmaps}
    taken = next((picture for picture in heatmaps.values() if picture.absolute() in pictures), None)
    if taken is not None:
        raise FlawsightError(f"the heat map '{taken}' would take the place of a picture: choose another --out")
