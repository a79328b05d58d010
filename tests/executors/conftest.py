"""Each executor there is, with two workers; what holds for one holds for all."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flawsight.executors import Executor, open_executor

HERE = str(Path(__file__).parent)
# Workers import jobs by the name of their module, as these tests do.
sys.path.insert(0, HERE)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (HERE, os.environ.get("PYTHONPATH"))))


@pytest.fixture(scope="module", params=["processes", "ray"])
def crew(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        pytest.importorskip("ray", reason="the extra 'scale' is not installed")
    with open_executor(2, "local" if request.param == "ray" else None) as executor:
        yield executor
