"""One file holds every word: those that are used are there, and those that are there are used."""

import ast
import re

from flawsight.station.page.words import ASSETS, WORDS, say

KEY = re.compile(rf"({'|'.join({key.split('.')[0] for key in WORDS})})\.[a-z_]+")


def used() -> set[str]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in ASSETS.parent.glob("*.py")]
    texts = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {text for text in texts if isinstance(text, str) and KEY.fullmatch(text)} - {"region.json"}


def test_words_and_uses_are_the_same() -> None:
    assert used() == set(WORDS) and len(WORDS) > 100


def test_words_are_filled_in() -> None:
    assert say("live.of", passed="3", count="4") == "3 of 4"
    assert all(isinstance(text, str) and text for text in WORDS.values())


def test_keys_that_switch_pages_are_no_keys_of_a_page() -> None:
    keys = [WORDS[key] for key in WORDS if key.endswith("_key")]
    assert len(set(keys)) == 5 and not set(keys) & set("12szh")
