"""Folders that sort pictures by their names."""
