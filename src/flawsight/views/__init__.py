"""How a picture becomes the network's input: today, resized to a square."""

from flawsight.views.cache import ImageCache
from flawsight.views.resize import resize_image
from flawsight.views.resolution import smallest_defect
from flawsight.views.roi import RegionOfInterest, read_region

__all__ = ["ImageCache", "RegionOfInterest", "read_region", "resize_image", "smallest_defect"]
