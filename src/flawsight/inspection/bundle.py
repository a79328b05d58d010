"""The bundle: a folder with inspector.json and safetensors, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as tensor_bytes

from flawsight.detectors import make_detector
from flawsight.detectors.parts.surprise import ScoreScale, Surprise
from flawsight.errors import FlawsightError
from flawsight.features import PICTURE, Extractor
from flawsight.inspection.inspector import Inspector
from flawsight.inspection.manifest import Manifest
from flawsight.inspection.members import Member

MANIFEST = "inspector.json"
NETWORK = "network.safetensors"
DETECTORS = "detectors.safetensors"


def prepare_folder(folder: Path, overwrite: bool) -> Path:
    """Make `folder` ready for a bundle: created, writable, and holding none unless `overwrite`."""
    if (folder / MANIFEST).exists() and not overwrite:
        raise FlawsightError(f"'{folder}' already holds a bundle: choose another --out, or add --overwrite")
    return writable_folder(folder)


def writable_folder(folder: Path) -> Path:
    """`folder`, created and tried for writing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".write-test"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FlawsightError(f"cannot write to '{folder}' ({error.strerror}): choose another --out") from error
    return folder


def save(inspector: Inspector, folder: str | Path, overwrite: bool = False) -> Path:
    """Write a bundle; an existing one is refused without `overwrite`."""
    folder = prepare_folder(Path(folder), overwrite)
    # The manifest goes first and comes last: a folder without one is no bundle.
    (folder / MANIFEST).unlink(missing_ok=True)
    names = list(dict.fromkeys(name for layers in inspector.layers for name in layers if name != PICTURE))
    network = inspector.extractor.truncated(names).state_dict() if names else {}
    learned = {
        f"{number}.{key}": value
        for number, member in enumerate(inspector.members)
        for key, value in member.detector.learned().items()
    }
    for name, tensors in ((NETWORK, network), (DETECTORS, learned)):
        # Through bytes: safetensors' own file writer makes files that only their owner may read.
        (folder / name).write_bytes(tensor_bytes({key: value.cpu().contiguous() for key, value in tensors.items()}))
    files = {name: _sha256(folder / name) for name in (NETWORK, DETECTORS)}
    manifest = inspector.manifest.model_copy(update={"files": files})
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return folder


def load(folder: str | Path, device: str = "auto") -> Inspector:
    """Read a bundle back; anything missing, changed or unreadable raises with the file's name."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        if not (folder / name).is_file():
            raise FlawsightError(f"bundle '{folder}' is damaged: {name} is missing; fit it again or copy it whole")
        if _sha256(folder / name) != expected:
            raise FlawsightError(f"bundle '{folder}' is damaged: {name} has changed; fit it again or copy it whole")
    info = manifest.extractor
    reads_layers = any(name != PICTURE for member in manifest.members for name in member.layers)
    extractor = Extractor(info.name, folder / NETWORK if reads_layers else "random", info.image_size, device)
    try:
        tensors = load_file(folder / DETECTORS, device=str(extractor.device))
    except (SafetensorError, OSError) as error:
        raise FlawsightError(f"bundle '{folder}' is damaged: {DETECTORS} cannot be read; fit it again") from error
    members = []
    known = {PICTURE, *(layer.name for layer in extractor.layers)}
    for number, member in enumerate(manifest.members):
        strangers = [name for name in member.layers if name not in known]
        if strangers:
            raise FlawsightError(f"bundle '{folder}' is damaged: {info.name} has no '{strangers[0]}'; fit it again")
        detector = make_detector(member.detector.name, **member.detector.parameters)
        prefix = f"{number}."
        try:
            detector.restore({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        except KeyError as error:
            raise FlawsightError(
                f"bundle '{folder}' is damaged: {DETECTORS} lacks member {number}; fit it again"
            ) from error
        surprise = Surprise(np.array(member.surprise_knots), member.surprise_tail)
        scale = ScoreScale(member.score_mean, member.score_deviation)
        members.append(Member(tuple(member.layers), detector, surprise, scale, member.weight))
    return Inspector(extractor, members, manifest)


def read_manifest(folder: Path) -> Manifest:
    """inspector.json of a bundle, validated."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FlawsightError(f"'{folder}' is no bundle: it has no {MANIFEST}; make one with `flawsight fit`") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FlawsightError(f"'{path}' cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise FlawsightError(
            f"bundle '{folder}' is damaged or of another version: {MANIFEST}, {where}: {first['msg']}; fit it again"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
