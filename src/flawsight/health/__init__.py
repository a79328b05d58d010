"""The health of a folder of good pictures: copies, outliers and strangers are named before anything is learned."""

from flawsight.health.facts import PictureFacts, facts_of
from flawsight.health.findings import Finding, HealthReport, Severity
from flawsight.health.folder import FolderCheck, check_folder, picture_of
from flawsight.health.pictures import check_pictures

__all__ = [
    "Finding",
    "FolderCheck",
    "HealthReport",
    "PictureFacts",
    "Severity",
    "check_folder",
    "check_pictures",
    "facts_of",
    "picture_of",
]
