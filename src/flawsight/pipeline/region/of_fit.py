"""The region that a fit inspects, as the settings say."""

from __future__ import annotations

from flawsight.core import FlawsightError
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.region.propose import propose_region
from flawsight.settings import ViewOptions
from flawsight.views import RegionOfInterest, read_region

NOTHING_FOUND = (
    "no part stands out from the background: the whole picture is inspected; name a region with --region FILE "
    "where that is wrong"
)


def inspected_region(settings: ViewOptions, good: GoodImages) -> tuple[RegionOfInterest | None, list[str]]:
    """What is inspected, None for everything, and what to mind; FlawsightError where pictures are of several sizes."""
    if settings.region is None:
        return None, []
    sizes = dict(zip(good.paths, good.sizes, strict=True))
    first = good.sizes[0]
    others = [path for path, size in sizes.items() if size != first]
    if others:
        height, width = sizes[others[0]]
        raise FlawsightError(
            f"--region is for pictures of one size: {good.paths[0]} is {first[1]} x {first[0]}, {others[0]} is "
            f"{width} x {height}; give pictures of one size, or leave --region out"
        )
    if not settings.is_region_auto:
        return read_region(settings.region, first), []
    found = propose_region(good.pictures)
    return found, [] if found else [NOTHING_FOUND]
