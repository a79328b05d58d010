"""The command line: parses, calls, prints."""

from flawsight.cli.app import app, main

__all__ = ["app", "main"]
