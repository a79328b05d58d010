"""Behind a token: a browser gets in by typing it once, and its live connection, too."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

TOKEN = "a-token-that-is-long-enough"
SERVE = [sys.executable, "-c", "from flawsight.cli import main; main()", "serve"]


@pytest.fixture
def address(bundle: Path, tmp_path: Path) -> Iterator[str]:
    """A process of its own: NiceGUI has one page for each."""
    (tmp_path / "token").write_text(TOKEN)
    options = ["--token-file", tmp_path / "token", "--history", tmp_path / "history.db", "--port", 0, "--threads", 1]
    command = [*SERVE, str(bundle), *map(str, options), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = "".join(iter(process.stdout.readline, "}\n")) + "}"
    yield json.loads(text)["address"]
    process.kill()
    process.wait()


def test_a_browser_gets_in_by_the_token_alone(chromium: Any, address: str, spoiled: Callable[..., np.ndarray]) -> None:
    context = chromium.new_context()
    tab = context.new_page()
    tab.set_default_timeout(20_000)
    tab.goto(f"{address}/review")
    assert tab.url == f"{address}/login"
    tab.fill("#token", "not-the-token-at-all")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("text=This is not the token.")
    tab.fill("#token", TOKEN)
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".page.live")
    picture = cv2.imencode(".png", spoiled(900))[1].tobytes()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"{address}/v1/inspect", content=picture, headers=headers).json()
    tab.wait_for_selector(f'.stage img[src$="{answer["id"]}"]')  # told by the live connection
    assert tab.locator(".huge .word").inner_text() == "DEFECTIVE"
    context.close()
    assert httpx.get(f"{address}/page/picture/{answer['id']}").status_code == 401
