"""Names and messages that every console, table and file system can take."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST_NAME = 180
"""Bytes of a file name that we make: the limit of most file systems is 255, and something may be added to it."""
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')


def readable(text: object) -> str:
    r"""`text` as valid Unicode: bytes of a file name that are no UTF-8 are shown as `\xf6`.

    >>> readable("B\udcf6den.png")
    'B\\xf6den.png'
    """
    try:
        data = str(text).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair, as Windows allows in names
        data = str(text).encode("utf-8", "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


def readable_document(value: Any) -> Any:
    r"""A JSON document with all its texts `readable`.

    >>> readable_document({"path": "B\udcf6.png", "score": 1.5})
    {'path': 'B\\xf6.png', 'score': 1.5}
    """
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return {readable_document(name): readable_document(one) for name, one in value.items()}
    return [readable_document(one) for one in value] if isinstance(value, list | tuple) else value


def safe_name(text: str) -> str:
    """A file's name without its suffix, changed where Linux, macOS or Windows could not take it; never too long.

    >>> safe_name("a:b"), safe_name("aux"), safe_name("ends. ")
    ('a_b', '_aux', 'ends')
    """
    name = _UNSAFE.sub("_", readable(text)).rstrip(". ") or "_"
    if _RESERVED.match(name):
        name = f"_{name}"
    data = name.encode()
    if len(data) > LONGEST_NAME:
        digest = hashlib.sha256(data).hexdigest()[:8]
        name = f"{data[: LONGEST_NAME - 9].decode(errors='ignore').rstrip('. ')}_{digest}"
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # where the locale is C: UTF-8 all the same
        name = os.fsdecode(name.encode())
    return name


def same_name(text: str) -> str:
    """What two names have in common that some file system takes for one: case, and how accents are composed.

    >>> same_name("Part.PNG") == same_name("part.png")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def first_line(error: BaseException, most: int = 200) -> str:
    """What an error of other packages says, in a line of so many characters.

    >>> first_line(ValueError("no such thing\\nTraceback ..."))
    'no such thing'
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:most]
