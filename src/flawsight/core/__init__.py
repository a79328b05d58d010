"""What every room uses: the one error, progress, whole files, registries. Imports no other room."""

from flawsight.core.errors import FlawsightError, all_of, unknown
from flawsight.core.files import cache_key, read_model, sha256_of, writable_folder, write_whole, written_whole
from flawsight.core.layer import INPUT, JOIN, Layer
from flawsight.core.lazy import lazy_names, warn_renamed
from flawsight.core.machine import allowed_cores, cores, limit_cores
from flawsight.core.progress import Progress, Silent, default_progress
from flawsight.core.registry import Registry
from flawsight.core.spread import spread
from flawsight.core.text import first_line, readable, readable_document, safe_name, same_name
from flawsight.core.versions import installed_versions

__all__ = [
    "INPUT",
    "JOIN",
    "FlawsightError",
    "Layer",
    "Progress",
    "Registry",
    "Silent",
    "all_of",
    "allowed_cores",
    "cache_key",
    "cores",
    "default_progress",
    "first_line",
    "installed_versions",
    "lazy_names",
    "limit_cores",
    "read_model",
    "readable",
    "readable_document",
    "safe_name",
    "same_name",
    "sha256_of",
    "spread",
    "unknown",
    "warn_renamed",
    "writable_folder",
    "write_whole",
    "written_whole",
]
