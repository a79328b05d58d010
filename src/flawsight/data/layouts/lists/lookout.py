"""Amazon Lookout for Vision (and SageMaker Ground Truth): manifests of one JSON object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError
from flawsight.data.layouts.lists.annotated import DAMAGE, Picture, base_of, files_in, read_annotated, split_of
from flawsight.data.samples import Dataset

HINT = (
    "NAME.manifest or NAME.jsonl of lines with source-ref, anomaly-label, anomaly-mask-ref; or a folder that holds some"
)
SUFFIXES = (".manifest", ".jsonl", ".json")
_CLASS, _MASK = "classification", "semantic-segmentation"


def recognises(root: Path) -> bool:
    """True if the first line of such a file has a source-ref."""
    return bool(files_in(root, SUFFIXES, _is_ours))


def read(root: Path) -> Dataset:
    """The samples of all manifests; the split is in a file's name; pictures are looked for beside the files."""
    files = files_in(root, SUFFIXES, _is_ours)
    return read_annotated(root, "lookout", [(base_of(file), _pictures(file)) for file in files])


def _is_ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline(100_000)
            return line.lstrip().startswith("{") and "source-ref" in json.loads(line)
    except DAMAGE:
        return False


def _pictures(path: Path) -> Iterator[Picture | FlawsightError]:
    for number, line in enumerate(path.read_bytes().decode("utf-8-sig", "replace").splitlines(), 1):
        if line.strip():
            try:
                yield _picture(f"{path} line {number}", json.loads(line), split_of(path))
            except DAMAGE as error:
                what = f"{type(error).__name__}: {error}"
                yield FlawsightError(
                    f"{path} line {number} is no entry with a source-ref and a label ({what}); correct it"
                )


def _picture(where: str, entry: dict[str, Any], split: str) -> Picture:
    labels, masks = _attributes(entry, "label", _CLASS), _attributes(entry, "mask-ref", _MASK)
    tags = tuple(_class_of(entry, key) for key in labels) or ("anomaly",) * len(masks)
    if not tags:
        raise KeyError("anomaly-label")
    return Picture(where, entry["source-ref"], tags=tags, masks=tuple(entry[key] for key in masks), split=split)


def _attributes(entry: dict[str, Any], ending: str, kind: str) -> list[str]:
    """The keys of what the metadata say is of this kind, or what is called so."""
    return [
        key
        for key in entry
        if not key.endswith("-metadata")
        and (key == f"anomaly-{ending}" or kind in str(_metadata(entry, key).get("type", "")))
    ]


def _metadata(entry: dict[str, Any], key: str) -> dict[str, Any]:
    found = entry.get(f"{key}-metadata", entry.get(f"{key.removesuffix('-ref')}-metadata"))
    return found if isinstance(found, dict) else {}


def _class_of(entry: dict[str, Any], key: str) -> str:
    """The class's name, or else what the number means: 0 is normal."""
    name = _metadata(entry, key).get("class-name")
    return str(name) if name else "anomaly" if entry[key] not in (0, "0", "normal") else "normal"
