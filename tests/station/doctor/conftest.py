"""The command line, as the tests of the command line call it."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_spec = spec_from_file_location("cli_conftest", Path(__file__).parents[2] / "cli" / "conftest.py")
assert _spec and _spec.loader
_cli = module_from_spec(_spec)
_spec.loader.exec_module(_cli)
flawsight = _cli.flawsight
