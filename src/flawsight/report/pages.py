"""Pages from templates: one HTML file each, with all in it."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote

from flawsight.core import readable
from flawsight.report import plain_language as words

_FOLDERS = re.compile(r"'[^']*[/\\]([^'/\\]+)'")
_PLACES = re.compile(r"(?<![\w'/\\.])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\";:,]+)+[/\\](?=[^\s/\\])")
"""A path in quotes, and the folders of one without: a page names files, but not where on a machine they lie."""


def render(template: str, **values: Any) -> str:
    """The page that a template of this room makes of values."""
    # Heat maps must work where only the light base install is, which has no jinja2.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("flawsight.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=words.percent,
        number=words.number,
        duration=words.duration,
        frequency=words.frequency,
        kind_name=words.kind_name,
        address=lambda name: quote(os.fsencode(name)),
    )
    return environment.get_template(template).render(values)


def without_folders(text: str) -> str:
    """A sentence with the names of files alone, and valid Unicode."""
    return _PLACES.sub("", _FOLDERS.sub(r"'\1'", readable(text)))
