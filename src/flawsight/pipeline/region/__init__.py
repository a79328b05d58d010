"""`--region auto`: where the part lies in good pictures, without its shadow, and a picture to judge that by."""

from flawsight.pipeline.region.preview import region_preview, region_sheet
from flawsight.pipeline.region.propose import propose_region

__all__ = ["propose_region", "region_preview", "region_sheet"]
