"""Regions: the connected parts of an anomaly map above its threshold, as figures, outlines and documents."""

from flawsight.regions.adapters import to_labelme, to_supervision
from flawsight.regions.coco import coco_document
from flawsight.regions.find import find_regions
from flawsight.regions.region import Region

__all__ = ["Region", "coco_document", "find_regions", "to_labelme", "to_supervision"]
