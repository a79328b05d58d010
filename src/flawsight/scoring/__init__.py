"""From detectors' raw maps to one calibrated map and score of an image: plain arrays, no network."""

from flawsight.scoring.alignment import Alignment
from flawsight.scoring.calibration import MapCalibrator, ScoreStandardizer
from flawsight.scoring.colour_scale import ColourScale
from flawsight.scoring.fuse import MemberCalibration, fuse_members
from flawsight.scoring.maps import upsample
from flawsight.scoring.raw import RawPrediction

__all__ = [
    "Alignment",
    "ColourScale",
    "MapCalibrator",
    "MemberCalibration",
    "RawPrediction",
    "ScoreStandardizer",
    "fuse_members",
    "upsample",
]
