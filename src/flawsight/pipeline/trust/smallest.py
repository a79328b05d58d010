"""How small a defect may be: what somebody asked for, what can be seen at all, and what was found."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flawsight.core import FlawsightError
from flawsight.defects import SIZED
from flawsight.inspection import Inspector
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.trust.study import PodStudy
from flawsight.settings import InspectorOptions
from flawsight.views import View, least_seen, side_to_see, smallest_defect

ENOUGH = 0.9


def smallest_in_pixels(settings: InspectorOptions) -> float | None:
    """The size that was asked for, in pixels of the pictures; FlawsightError for mm of pictures of unknown scale."""
    said = settings.smallest_defect
    if said is None:
        return None
    if said.endswith("px"):
        return float(said.removesuffix("px"))
    if settings.mm_per_pixel is None:
        raise FlawsightError(f"--smallest-defect {said}: how large is a pixel? Add --mm-per-pixel, or say it in px")
    return float(said.removesuffix("mm")) / settings.mm_per_pixel


def warn_if_unseen(size: float | None, views: Sequence[View], good: GoodImages) -> None:
    """Say before long work begins that no view can show a defect of this size, however fine the layer."""
    if size is None:
        return
    unseen = [_unseen(size, view, seen_sizes(view, good), 1.0) for view in views]
    if all(unseen):
        logging.getLogger(__name__).warning(unseen[-1])


def size_notes(inspector: Inspector, good: GoodImages, settings: InspectorOptions, study: PodStudy | None) -> list[str]:
    """What to mind about small defects: where pictures are shrunk a lot, and where a size was asked for."""
    view, stride = inspector.view, finest_stride(inspector)
    seen, size = seen_sizes(view, good), smallest_in_pixels(settings)
    if size is not None:
        unseen = _unseen(size, view, seen, stride)
        return [unseen] if unseen else _not_found(size, study)
    found = smallest_defect(seen, view.side, stride)
    if found is None:
        return []
    shrunk, pixels = found
    return [
        f"pictures are shrunk {shrunk:.3g} times: defects smaller than about {pixels:.0f} pixels will hardly be found; "
        "a larger --image-size finds smaller ones, and --view tiles those of a few pixels"
    ]


def finest_stride(inspector: Inspector) -> float:
    """Of the layers that are read; 1 for methods that read the picture itself."""
    return min((layer.stride for layer in inspector.manifest.extractor.layers), default=1.0)


def seen_sizes(view: View, good: GoodImages) -> list[tuple[int, int]]:
    """(height, width) of what becomes a square."""
    if view.kind == "tiles":
        return [(view.cut, view.cut)]
    return good.sizes if good.region is None else [(good.region.box[3], good.region.box[2])]


def _unseen(size: float, view: View, seen: Sequence[tuple[int, int]], stride: float) -> str:
    """Why a defect of this size cannot be seen, and what would do; empty where it can."""
    least = least_seen(seen, view.side, stride)
    if size >= least:
        return ""
    tiles = "" if view.kind == "tiles" else ", or --view tiles"
    return (
        f"defects of {size:.3g} pixels cannot be seen with pictures as they are shown ({view.text}): about "
        f"{least:.3g} pixels are the least; --image-size {side_to_see(seen, size, stride)} would do{tiles}"
    )


def _not_found(size: float, study: PodStudy | None) -> list[str]:
    """The kinds of which defects of this size are not surely found."""
    if study is None:
        return []
    rates = {one.kind: float(one.curve.at(size)) for one in study.info.kinds}
    missed = [f"{rate:.0%} of {SIZED[kind].title.lower()}" for kind, rate in rates.items() if rate < ENOUGH]
    if not missed:
        return []
    return [f"of artificial defects of {size:.3g} pixels fewer than nine in ten are found: {', '.join(missed)}"]
