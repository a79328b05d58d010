"""Pictures of a request: its whole body, or parts of a form; all stays in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePath

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from flawsight.core import readable
from flawsight.station.rest.problems import BadRequest

LONGEST_NAME = 200
_RAW = ("image/", "application/octet-stream")


@dataclass(frozen=True)
class Upload:
    """A picture's file, and what it is called."""

    name: str
    data: bytes


class _InMemory(MultiPartParser):
    spool_max_size = 1 << 40  # nothing of a request touches the disk


async def uploads(request: Request, name: str, most: int) -> list[Upload]:
    """The pictures of a request, at most so many; BadRequest where there is none, or what is sent is no picture."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise BadRequest(415, "send the picture as it is, without Content-Encoding")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind == "multipart/form-data":
        return await _of_form(request, body, most)
    if kind and not kind.startswith(_RAW):
        raise BadRequest(
            415,
            f"'{kind}' is no picture: send it as image/png, image/jpeg, application/octet-stream, "
            "or as the part 'file' of multipart/form-data",
        )
    if not body:
        raise BadRequest(400, "the body is empty: send a picture")
    return [Upload(_shown(name, 0), body)]


async def _of_form(request: Request, body: bytes, most: int) -> list[Upload]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    try:
        form = await _InMemory(request.headers, stream(), max_files=most, max_fields=0).parse()
    except (MultiPartException, UnicodeDecodeError, ValueError, KeyError) as error:
        reason = error.message if isinstance(error, MultiPartException) else "it is not well-formed"
        raise BadRequest(400, f"the form cannot be read: {reason}") from error
    found = [
        Upload(_shown(part.filename or "", number), await part.read())
        for number, (key, part) in enumerate(form.multi_items())
        if key == "file" and isinstance(part, UploadFile)
    ]
    if not found or len(found) != len(form.multi_items()):
        raise BadRequest(400, "the form needs the picture as its part 'file' with a file name, and nothing else")
    return found


def _shown(name: str, number: int) -> str:
    """A name for people: never a path."""
    last = PurePath(readable(name).replace("\\", "/")).name
    clean = "".join(letter for letter in last if letter.isprintable())[:LONGEST_NAME]
    return clean or f"picture-{number + 1}"
