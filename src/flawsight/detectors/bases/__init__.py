"""What several methods share: how features are kept until they are learned from, and how maps are read."""

from flawsight.detectors.bases.buffered import BufferedDetector
from flawsight.detectors.bases.patches import PatchDetector
from flawsight.detectors.bases.pooled import PooledDetector

__all__ = ["BufferedDetector", "PatchDetector", "PooledDetector"]
