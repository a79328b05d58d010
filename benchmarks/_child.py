"""A function of a benchmark in a process of its own: python -m benchmarks._child MODULE:FUNCTION ARGUMENTS ANSWER."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from benchmarks._measure import peak_mib


def main() -> None:
    target, arguments, answer = sys.argv[1:]
    module, name = target.split(":")
    function = getattr(importlib.import_module(module), name)
    found = function(**json.loads(arguments))
    figures = {**found, "peak_mib": peak_mib()}
    Path(answer).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
