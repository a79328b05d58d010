"""How a picture becomes the network's inputs, and how maps go back to its own pixels."""

from flawsight.views.cache import ImageCache
from flawsight.views.inputs import Chained, Chosen, Inputs, Pictures, SquareStore
from flawsight.views.resize import resize_image
from flawsight.views.resolution import least_seen, side_to_see, smallest_defect
from flawsight.views.roi import RegionOfInterest, read_region
from flawsight.views.view import FILL, OVERLAP, Frame, View

__all__ = [
    "FILL",
    "OVERLAP",
    "Chained",
    "Chosen",
    "Frame",
    "ImageCache",
    "Inputs",
    "Pictures",
    "RegionOfInterest",
    "SquareStore",
    "View",
    "least_seen",
    "read_region",
    "resize_image",
    "side_to_see",
    "smallest_defect",
]
