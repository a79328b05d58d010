"""What a study's rows depend on: kept beside them, so that rows of two different grids never meet in one table."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from flawsight.core import FlawsightError, cache_key, installed_versions, sha256_of, write_whole
from flawsight.data import Sample, find_categories, find_images, open_dataset
from flawsight.pipeline.package import PACKAGES
from flawsight.settings import StudySettings, flag_of
from flawsight.studies.study import Study, Unit
from flawsight.training import resolve_device

NOT_OF_THE_GRID = {"name", "data", "out", "list", "workers", "ray", "device", "categories", "weights"}


def networks(settings: StudySettings) -> list[tuple[str, str]]:
    """Each network with the name of its weights' file, `random`, or nothing for the usual ones.

    Several files for one network make several of it.
    """
    names, files = settings.extractor, tuple(Path(file).name for file in settings.weights)
    if len(set(files)) < len(files):
        raise FlawsightError(f"--weights names files that are called the same ({', '.join(files)}): rename one of them")
    if len(files) in (0, len(names)):
        return list(zip(names, files or ("",) * len(names), strict=True))
    if len(names) == 1:
        return [(names[0], file) for file in files]
    raise FlawsightError(f"--weights names {len(files)} files for {len(names)} networks: give one for each, in order")


def chosen_categories(settings: StudySettings) -> tuple[str, ...]:
    """The categories that were named, or all of the data; FlawsightError where there is none of that name."""
    assert settings.data is not None
    return find_categories(settings.data, settings.categories)


def bases(settings: StudySettings, categories: Sequence[str] | None = None) -> Iterator[Unit]:
    """A unit for each category, network and image size, in this order; what else a study varies is set on these."""
    for category in chosen_categories(settings) if categories is None else categories:
        for extractor, weights in networks(settings):
            for side in settings.image_size:
                yield Unit(category, extractor, weights, side)


def grid_of(study: Study, settings: StudySettings, units: Sequence[Unit]) -> dict[str, Any]:
    """All that a row may depend on, as a JSON document."""
    return {
        "rows": study.rows or settings.name,
        "columns": list(study.columns),
        "settings": {
            **settings.model_dump(mode="json", exclude=NOT_OF_THE_GRID),
            "categories": list(dict.fromkeys(unit.category for unit in units if unit.category)),
            "weights": [_weights(file) for file in settings.weights],
            "textures": None if settings.textures is None else _textures(settings.textures),
            **({"device": _device(settings.device)} if study.is_timed else {}),
        },
        "pictures": {category: _pictures(settings, category) for category in chosen_categories(settings)},
        "units": len(units),
    }


def same_grid(path: Path, grid: Mapping[str, Any]) -> bool:
    """Whether rows of this grid are there already; FlawsightError where they are of another one."""
    before = read_grid(path)
    if before is None:
        return False
    old, new = _flat(before), _flat(grid)
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name) and not ("pictures" in name and {"", None} & {old.get(name), new.get(name)}):
            raise FlawsightError(
                f"'{path.parent}' holds rows of another grid, with {name} {json.dumps(old.get(name))} where it is "
                f"{json.dumps(new.get(name))} now: use another --out, or remove {path.stem}.csv and {path.name}"
            )
    return True


def read_grid(path: Path) -> dict[str, Any] | None:
    """The grid of an earlier run, without who made it; None where there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["settings"] = {**_unset(), **found["settings"]}  # an option that is newer than the file was not given
        return {name: found[name] for name in ("rows", "columns", "settings", "pictures", "units")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FlawsightError(f"'{path}' cannot be read as the grid of a study ({error}): remove it") from error


def _unset() -> dict[str, Any]:
    return StudySettings.of({}).model_dump(mode="json", exclude=NOT_OF_THE_GRID)


def write_grid(path: Path, grid: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Keep the grid, and how its rows were made."""
    write_whole(path, json.dumps({**grid, **made}, indent=1) + "\n")


def command_of(settings: StudySettings) -> str:
    """The command that gives the same again; `settings` as they were given."""
    parts = ["flawsight", "study", settings.name, str(settings.data), "--out", str(settings.out)]
    for name in type(settings).model_fields:
        if name not in ("name", "data", "out") and name in settings.model_fields_set:
            value = getattr(settings, name)
            if isinstance(value, dict):
                parts += [part for key, one in value.items() for part in (flag_of(name), f"{key}={one}")]
            elif value is True:
                parts.append(flag_of(name))
            elif value not in (False, None, ()):
                given = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
                parts += [flag_of(name), given]
    return shlex.join(parts)


def versions() -> dict[str, str]:
    """Of Python and the packages that a figure may depend on."""
    return {"python": platform.python_version(), **installed_versions(PACKAGES)}


def _device(device: str) -> str:
    """What computes, by the name of its maker where that is known."""
    found = resolve_device(device)
    is_cuda = found.type == "cuda"
    return f"{found}, {torch.cuda.get_device_name(found) if is_cuda else platform.processor() or platform.machine()}"


def _weights(file: str) -> str:
    return f"{Path(file).name} {sha256_of(Path(file))[:12]}" if Path(file).is_file() else file


def _textures(folder: Path) -> str:
    """What it is called, and a digest of what its images are called and how large the files are."""
    paths = find_images(folder, recursive=True)
    return f"{folder.name} {cache_key(*((path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths))}"


def _pictures(settings: StudySettings, category: str) -> str:
    """How many pictures a category has, and a digest of what they and their masks are called and how large they are."""
    assert settings.data is not None
    try:
        dataset = open_dataset(settings.data, category=category)
        digest = cache_key(*(_of(sample, dataset.root) for sample in dataset))
    except (FlawsightError, OSError):
        return ""  # which its units will say
    counts = [len(dataset.select(split=split)) for split in ("train", "test")]
    return f"{counts[0]} to learn from, {counts[1]} to test on, {digest}"


def _of(sample: Sample, root: Path) -> tuple[Any, ...]:
    masks = (_file(one, root) if isinstance(one, Path) else repr((one.shapes, one.size)) for one in sample.masks)
    name, size = _file(sample.path, root)
    return name, sample.label, size, *masks


def _file(path: Path, root: Path) -> tuple[str, int]:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name, path.stat().st_size


def _flat(grid: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and pictures one by one, by the names that people know."""
    found = {flag_of(name): value for name, value in grid["settings"].items()}
    found |= {f"pictures of {category}": text for category, text in grid["pictures"].items()}
    return found | {name: value for name, value in grid.items() if name not in ("settings", "pictures")}
