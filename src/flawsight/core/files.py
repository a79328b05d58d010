"""Files that are there whole or not at all, checked when read, and keys for what is kept in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from flawsight.core.errors import FlawsightError
from flawsight.core.text import readable

Model = TypeVar("Model", bound=BaseModel)
_BLOCK = bytes(4096)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path to write to; what is written appears at `path` when the block ends, or not at all.

    >>> with written_whole(tmp / "notes.txt") as partial:
    ...     _ = partial.write_text("all of it")
    >>> (tmp / "notes.txt").read_text()
    'all of it'
    """
    partial = path.with_name(f"{path.name}.part")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise FlawsightError(f"cannot write '{path}' ({error.strerror}): is the disk full?") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | str) -> Path:
    """Write these bytes, or this text as UTF-8, whole or not at all.

    >>> write_whole(tmp / "notes.txt", "all of it").read_text()
    'all of it'
    """
    with written_whole(path) as partial:
        partial.write_bytes(readable(data).encode() if isinstance(data, str) else data)
    return path


def writable_folder(folder: Path) -> Path:
    """`folder`, created and tried for writing: a full disk is found before long work begins.

    >>> writable_folder(tmp / "results" / "monday").is_dir()
    True
    """
    is_new = False
    probe = folder / ".write-test"
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(_BLOCK)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise FlawsightError(f"cannot write to '{folder}' ({error.strerror}): choose another folder") from error
    return folder


def read_model(path: Path, model: type[Model], what: str, remedy: str) -> Model:
    """The JSON at `path`, validated; FlawsightError names the file, the entry that is wrong and the remedy.

    >>> manifest = read_model(bundle / "inspector.json", fs.bundle.Manifest, "bundle", "fit it again")
    >>> manifest.extractor.name
    'tf_efficientnet_lite0'
    """
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FlawsightError(f"{what} '{path.parent}': {path.name} cannot be read ({reason}); {remedy}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise FlawsightError(
            f"{what} '{path.parent}' is damaged or of another version: {path.name}, {where}: {first['msg']}; {remedy}"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes.

    >>> (tmp / "empty").touch()
    >>> sha256_of(tmp / "empty")[:16]
    'e3b0c44298fc1c14'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_key(*parts: object) -> str:
    """16 hexadecimal digits that name these parts: arrays by their bytes, all else by how it is written.

    >>> cache_key("patchcore", 256, np.zeros(3))
    'ff5431b709f582b7'
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            # Names of files may hold bytes that are no UTF-8.
            digest.update((part if isinstance(part, str) else repr(part)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
