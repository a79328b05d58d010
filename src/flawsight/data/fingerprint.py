"""Which images were these? One hash for a set of files, wherever they lie."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from flawsight.core import FlawsightError


def fingerprint(paths: Iterable[str | Path]) -> str:
    """SHA-256 (hex) over the sorted (file name, content hash) pairs; folders and order do not matter.

    Raises FlawsightError if a file cannot be read or there is none.

    >>> paths = find_images(good)
    >>> fingerprint(paths) == fingerprint(reversed(paths)) != fingerprint(paths[1:])
    True
    """
    pairs = sorted((Path(path).name, _content_hash(Path(path))) for path in paths)
    if not pairs:
        raise FlawsightError("no images to take a fingerprint of; give at least one file")
    # A NUL cannot occur in a file name, so no two different lists give the same bytes. A name need not be UTF-8.
    text = "".join(f"{name}\0{digest}" for name, digest in pairs)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _content_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FlawsightError(f"cannot read {path}: {error.strerror}; check the path and its permissions") from error
