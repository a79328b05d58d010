"""All words of the page come from assets/words.en.yaml: a translation is another such file."""

from __future__ import annotations

from pathlib import Path

import yaml

ASSETS = Path(__file__).with_name("assets")


def _flat(document: dict[str, dict[str, str]]) -> dict[str, str]:
    return {f"{page}.{key}": text for page, texts in document.items() for key, text in texts.items()}


WORDS = _flat(yaml.safe_load((ASSETS / "words.en.yaml").read_text(encoding="utf-8")))


def say(key: str, **values: object) -> str:
    """The text of a key such as `live.title`, filled in."""
    text = WORDS[key]
    return text.format(**values) if values else text
