"""The promises of detectors, defects and extractors, as checks for those of other packages too."""

from flawsight.testing.contract import check_detector, detector_checks, parametrize_with_checks
from flawsight.testing.defects import check_defect
from flawsight.testing.extractors import check_extractor

__all__ = ["check_defect", "check_detector", "check_extractor", "detector_checks", "parametrize_with_checks"]
