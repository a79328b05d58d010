"""The bundle: a folder with inspector.json and safetensors, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as tensor_bytes

from flawsight.bundle.manifest import Manifest
from flawsight.core import FlawsightError, read_model, sha256_of, writable_folder, write_whole, written_whole

MANIFEST = "inspector.json"
NETWORK = "network.safetensors"
DETECTORS = "detectors.safetensors"
ONNX_MODEL = "model.onnx"
OPENVINO_MODEL = ("model.xml", "model.bin")
SAMPLES = "samples.png"
FILES = (NETWORK, DETECTORS, ONNX_MODEL, *OPENVINO_MODEL, SAMPLES)
FOR_READERS = ("report.html", "selection.csv", "region.png")
"""What else a fit leaves in the folder, for people to read."""


def prepare_folder(folder: Path, overwrite: bool) -> Path:
    """Make `folder` ready for a bundle: created, writable, and holding none unless `overwrite`.

    >>> prepare_folder(bundle, overwrite=False)
    Traceback (most recent call last):
        ...
    flawsight.core.errors.FlawsightError: '...' already holds a bundle: choose another --out, or add --overwrite
    """
    if (folder / MANIFEST).exists() and not overwrite:
        raise FlawsightError(f"'{folder}' already holds a bundle: choose another --out, or add --overwrite")
    return writable_folder(folder)


def write_bundle(manifest: Manifest, files: Mapping[str, bytes], folder: Path, overwrite: bool = False) -> Path:
    """Write a bundle of these files; an existing one is refused without `overwrite`, else removed whole.

    >>> manifest = read_manifest(bundle)
    >>> files = {name: (bundle / name).read_bytes() for name in manifest.files}
    >>> sorted(path.name for path in write_bundle(manifest, files, tmp / "copy").iterdir())
    ['detectors.safetensors', 'inspector.json', 'model.onnx', 'network.safetensors', 'samples.png']
    """
    prepare_folder(folder, overwrite)
    _write(manifest.model_copy(update={"files": {}}), files, folder, {*FILES, *FOR_READERS} - set(files))
    return folder


def replace_files(manifest: Manifest, files: Mapping[str, bytes], folder: Path, removed: Iterable[str] = ()) -> None:
    """Put these files into a bundle, in the place of those of their names, and take the `removed` ones out.

    >>> copy = fs.save(inspector, tmp / "copy")
    >>> replace_files(read_manifest(copy), {"samples.png": b"..."}, copy)
    >>> "samples.png" in read_manifest(copy).files
    True
    """
    gone = set(removed) - set(files)
    kept = {name: digest for name, digest in manifest.files.items() if name not in gone}
    _write(manifest.model_copy(update={"files": kept}), files, folder, gone)


def replace_manifest(manifest: Manifest, folder: Path) -> None:
    """Put this inspector.json in the place of a bundle's: at any moment there is the old one or the new one, whole.

    >>> copy = fs.save(inspector, tmp / "copy")
    >>> replace_manifest(read_manifest(copy).model_copy(update={"mm_per_pixel": 0.1}), copy)
    >>> read_manifest(copy).mm_per_pixel
    0.1
    """
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def _write(manifest: Manifest, files: Mapping[str, bytes], folder: Path, removed: Iterable[str]) -> None:
    """All is written before anything takes its place, the manifest last: a folder without one is no bundle."""
    with written_whole(folder / MANIFEST) as partial_manifest, ExitStack() as written:
        for name, data in files.items():
            written.enter_context(written_whole(folder / name)).write_bytes(data)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        whole = manifest.model_copy(update={"files": {**manifest.files, **hashes}})
        partial_manifest.write_text(whole.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for name in (MANIFEST, *removed):
            (folder / name).unlink(missing_ok=True)


def tensor_file(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Tensors as the bytes of a safetensors file.

    >>> len(tensor_file({"bank": np.zeros((10, 4), np.float32)}))
    232
    """
    # Through bytes: safetensors' own file writer makes files that only their owner may read.
    data: bytes = tensor_bytes({key: np.asarray(value, order="C") for key, value in tensors.items()})
    return data


def remove_bundle(folder: Path) -> None:
    """Remove a bundle's files, the manifest first.

    >>> copy = fs.save(inspector, tmp / "copy")
    >>> remove_bundle(copy)
    >>> list(copy.iterdir())
    []
    """
    for name in (MANIFEST, *FILES, *FOR_READERS):
        (folder / name).unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest:
    """inspector.json of a bundle, validated; those of earlier formats are brought to today's.

    >>> read_manifest(bundle).extractor.name
    'tf_efficientnet_lite0'
    """
    if not (folder / MANIFEST).exists():
        raise FlawsightError(f"'{folder}' is no bundle: it has no {MANIFEST}; make one with `flawsight fit`")
    return read_model(folder / MANIFEST, Manifest, "bundle", "fit it again")


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raise where a file of the bundle is missing or is not the one that was written.

    >>> copy = fs.save(inspector, tmp / "copy")
    >>> (copy / "detectors.safetensors").unlink()
    >>> check_files(copy, read_manifest(copy))
    Traceback (most recent call last):
        ...
    flawsight.core.errors.FlawsightError: bundle '...' is damaged: detectors.safetensors is missing; ...
    """
    for name, expected in manifest.files.items():
        if not (folder / name).is_file():
            raise FlawsightError(f"bundle '{folder}' is damaged: {name} is missing; fit it again or copy it whole")
        if sha256_of(folder / name) != expected:
            raise FlawsightError(f"bundle '{folder}' is damaged: {name} has changed; fit it again or copy it whole")


def read_tensors(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The tensors in one file of a bundle.

    >>> tensors = read_tensors(bundle, "detectors.safetensors")
    >>> tensors["0.bank"].dtype  # the memory bank of the first member
    dtype('float32')
    """
    try:
        found: dict[str, np.ndarray] = load_file(folder / name)
        return found
    except (SafetensorError, OSError) as error:
        raise FlawsightError(f"bundle '{folder}' is damaged: {name} cannot be read; fit it again") from error
