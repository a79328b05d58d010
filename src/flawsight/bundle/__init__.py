"""The deliverable on disk: inspector.json and tensors, written whole, checked when read."""

from flawsight.bundle.manifest import DataInfo, DetectorSpec, ExtractorSpec, Manifest, Member, SelectionInfo
from flawsight.bundle.store import check_files, prepare_folder, read_manifest, read_tensors, remove_bundle, write_bundle

__all__ = [
    "DataInfo",
    "DetectorSpec",
    "ExtractorSpec",
    "Manifest",
    "Member",
    "SelectionInfo",
    "check_files",
    "prepare_folder",
    "read_manifest",
    "read_tensors",
    "remove_bundle",
    "write_bundle",
]
