"""Flawsight: a folder of good pictures becomes a visual inspector."""
