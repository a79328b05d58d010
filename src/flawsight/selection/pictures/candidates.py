"""Which views are tried: those that were named, or those that make sense for pictures of these sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flawsight.settings import ViewOptions
from flawsight.views import View
from flawsight.views.resolution import MOST_SHRUNK

SIDES = (256, 384, 512)
"""Image sizes of paper B, Fig. 5."""
MOST_ENLARGED = 2
"""Pictures are enlarged no more often than this: there is nothing more to see."""
LEAST_ASPECT = 1.15
"""Pictures closer to a square than this lose nothing when squashed."""
TILE_TIMES = (1, 2, 4)
"""Tiles of so many times the image size: natively, and shrunk."""
STRIP_ASPECT = 3.0
_FITS = 1.25


def candidate_views(settings: ViewOptions, sizes: Sequence[tuple[int, int]], may_cut: bool = True) -> list[View]:
    """Views to try on pictures of these (height, width), the cheapest first; one where there is nothing to choose.

    `may_cut`: whether tiles make sense for the detectors.

    >>> from flawsight.selection.pictures import candidate_views
    >>> from flawsight.settings import ViewOptions
    >>> [view.text for view in candidate_views(ViewOptions(), [(600, 800)])]
    ['squash at 256']
    >>> options = ViewOptions(image_size="auto")
    >>> [view.text for view in candidate_views(options, [(600, 600)])]
    ['squash at 256', 'squash at 384', 'squash at 512', 'tiles of 256 pixels at 256']
    """
    shorts, longs = (np.median([pick(size) for size in sizes]) for pick in (min, max))
    least = min(min(size) for size in sizes)
    sides = settings.sides or tuple(side for side in SIDES if side <= MOST_ENLARGED * longs) or SIDES[:1]
    if settings.view == "tiles":
        return [View("tiles", side, settings.tile, settings.overlap) for side in sides]
    if settings.view != "auto":
        return [View(settings.view, side) for side in sides]
    found = [View("squash", side) for side in sides]
    loses_little = longs <= MOST_SHRUNK * sides[0] and longs < STRIP_ASPECT * shorts
    if settings.sides and loses_little and not settings.tile:
        return found
    if longs / shorts > LEAST_ASPECT:
        found += [View("whole", side) for side in sides]
    found.sort(key=lambda view: view.side)
    if not may_cut:
        return found
    side = sides[0]
    cuts = {settings.tile} if settings.tile else {times * side for times in TILE_TIMES if _FITS * times * side <= least}
    if longs >= STRIP_ASPECT * shorts and not settings.tile:
        cuts.add(least)
    largest_first = sorted(cuts, reverse=True)
    return [*found, *(View("tiles", side, None if cut == side else cut, settings.overlap) for cut in largest_first)]
