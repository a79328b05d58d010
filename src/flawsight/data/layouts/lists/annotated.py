"""What labelling tools have in common: files that list pictures with what was drawn on them."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data.files import subfolders
from flawsight.data.layouts.lists.located import Located
from flawsight.data.layouts.words import said_by
from flawsight.data.listing import list_images
from flawsight.data.masks.shapes import Drawing, Outline, Runs
from flawsight.data.names import few_names
from flawsight.data.problems import Problems
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample

DAMAGE = (
    ArithmeticError, AttributeError, LookupError, OSError, RecursionError, SyntaxError, TypeError, ValueError,
    Image.DecompressionBombError,
)  # fmt: skip
"""What reading a damaged document may raise."""
_MOST_LISTS = 20
FOLDERS = ("annotations", "annotation", "labels")


@dataclass(frozen=True)
class Picture:
    """One entry of a list: where it stands, the picture's name and size, and (label, shape) for all that is drawn.

    `tags` are labels of the picture as a whole; `masks` are names of mask files.
    """

    where: str
    name: str
    size: tuple[int, int] | None = None
    drawn: tuple[tuple[str, Outline | Runs], ...] = ()
    tags: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    split: str = "test"


def files_in(root: Path, suffixes: Iterable[str], is_ours: Callable[[Path], bool]) -> list[Path]:
    """The file itself, or the files of this kind in a folder or in one of its folders."""
    if root.is_file():
        return [root] if root.suffix.lower() in suffixes and is_ours(root) else []
    found: list[Path] = []
    for place in (root, *subfolders(root)) if root.is_dir() else ():
        files = [path for path in sorted(place.iterdir()) if path.suffix.lower() in suffixes and path.is_file()]
        # Many are one for each image, and no list.
        found += [path for path in files if is_ours(path)] if len(files) <= _MOST_LISTS else []
    return found


def base_of(file: Path) -> Path:
    """The folder below which the images of a list are looked for."""
    return file.parent.parent if file.parent.name.casefold() in FOLDERS else file.parent


def read_annotated(
    root: Path, layout: str, lists: Iterable[tuple[Path, Iterable[Picture | FlawsightError]]]
) -> Dataset:
    """The samples of (folder, entries or what is wrong with them).

    An image is good on which nothing is drawn, unless its tag says otherwise.
    """
    located: dict[Path, Located] = {}
    samples: dict[Path, Sample] = {}
    problems = Problems()
    for base, entries in lists:
        paths = located.setdefault(base, Located(base, is_loose=True))
        for entry in entries:
            with problems.noted():
                if isinstance(entry, FlawsightError):
                    raise entry
                sample = _sample(entry, paths)
                if samples.setdefault(sample.path.resolve(), sample) is not sample:
                    raise FlawsightError(f"{entry.where}: {entry.name} is listed already; remove one of them")
    problems.refuse()
    if not samples:
        raise FlawsightError(f"{root} lists no image; export it again with its images")
    found = list(samples.values())
    notes = [note for paths in located.values() for note in paths.notes]
    unmarked = sum(sample.label == GOOD and not sample.masks for sample in found)
    if unmarked:
        notes.append(f"{unmarked} images on which nothing is drawn are taken for good")
    if root.is_dir():
        notes += _unlisted(found, located)
    return Dataset(found, root, layout, notes)


def read_json(path: Path) -> Any:
    """The document in a file; FlawsightError if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise FlawsightError(f"{path} cannot be read as JSON ({error}); export it again") from error


def split_of(path: Path) -> str:
    """`train` if the file's name or its folder's says so, else `test`."""
    names = f"{path.parent.name} {path.stem}".lower()
    return "train" if re.search(r"(?<![a-z])train", names) else "test"


def _sample(entry: Picture, paths: Located) -> Sample:
    path = paths.find(entry.where, entry.name)
    drawn = [(label, shape) for label, shape in entry.drawn if said_by(label) != "good"]
    masks: list[Path | Drawing] = [paths.find(entry.where, name) for name in entry.masks]
    if drawn:
        masks.append(Drawing(tuple(shape for _, shape in drawn), entry.size, f"{entry.where} ({path.name})"))
    said = {said_by(tag) for tag in entry.tags}
    kinds = dict.fromkeys([label for label, _ in drawn] or [tag for tag in entry.tags if said_by(tag) != "good"])
    is_defective = bool(drawn) or (bool(kinds) and "good" not in said)
    if drawn and "good" in said and "bad" not in said:
        raise FlawsightError(f"{entry.where}: {path.name} is tagged good, but something is drawn on it; correct one")
    label, kind = (DEFECTIVE, "+".join(kinds)) if is_defective else (GOOD, "good")
    return Sample(path, label, tuple(masks), kind, entry.split)


def _unlisted(samples: Iterable[Sample], located: Iterable[Path]) -> list[str]:
    """A sentence on images that no list names."""
    used = {path.resolve() for sample in samples for path in (sample.path, *sample.masks) if isinstance(path, Path)}
    left = [path for base in located for path in list_images(base).images if path.resolve() not in used]
    return [f"{len(left)} images that are not listed are left out: {few_names(left)}"] if left else []
