"""The deliverable on disk: inspector.json and tensors, written whole, checked when read."""

from flawsight.bundle.manifest import (
    DataInfo,
    DetectorSpec,
    ExtractorSpec,
    Manifest,
    Member,
    SelectionInfo,
    SuspectInfo,
)
from flawsight.bundle.pod import PodInfo, PodOfKind
from flawsight.bundle.revise import restored, revised
from flawsight.bundle.revision import Revision
from flawsight.bundle.runtime_model import Parity, RuntimeModel, SampleInfo
from flawsight.bundle.store import (
    check_files,
    prepare_folder,
    read_manifest,
    read_tensors,
    remove_bundle,
    replace_files,
    replace_manifest,
    tensor_file,
    write_bundle,
)

__all__ = [
    "DataInfo",
    "DetectorSpec",
    "ExtractorSpec",
    "Manifest",
    "Member",
    "Parity",
    "PodInfo",
    "PodOfKind",
    "Revision",
    "RuntimeModel",
    "SampleInfo",
    "SelectionInfo",
    "SuspectInfo",
    "check_files",
    "prepare_folder",
    "read_manifest",
    "read_tensors",
    "remove_bundle",
    "replace_files",
    "replace_manifest",
    "restored",
    "revised",
    "tensor_file",
    "write_bundle",
]
