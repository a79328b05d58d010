"""What every room uses: the one error, progress, whole files, registries. Imports no other room."""

from flawsight.core.errors import FlawsightError, unknown
from flawsight.core.files import cache_key, read_model, sha256_of, writable_folder, written_whole
from flawsight.core.layer import INPUT, Layer
from flawsight.core.lazy import lazy_names, warn_renamed
from flawsight.core.progress import Progress, Silent, default_progress
from flawsight.core.registry import Registry

__all__ = [
    "INPUT",
    "FlawsightError",
    "Layer",
    "Progress",
    "Registry",
    "Silent",
    "cache_key",
    "default_progress",
    "lazy_names",
    "read_model",
    "sha256_of",
    "unknown",
    "warn_renamed",
    "writable_folder",
    "written_whole",
]
