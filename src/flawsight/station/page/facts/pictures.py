"""Pictures as a browser can show them."""

from __future__ import annotations

import cv2
import numpy as np

from flawsight.data import InMemory, read_image
from flawsight.station.bundles import Loaded, UnknownBundle
from flawsight.station.engine import Answer
from flawsight.station.engine.small import SHOWN, coloured_png, heatmap_png, jpeg
from flawsight.station.page.facts.news import News, Shown
from flawsight.station.station import Station

NOTHING = cv2.imencode(".png", np.zeros((1, 1, 4), np.uint8))[1].tobytes()
"""Where there is no heat map."""


def shown_of(loaded: Loaded, picture: bytes, answer: Answer) -> Shown:
    """A picture's file and what was said of it, for people."""
    heatmap = None
    if answer.result is not None:
        heatmap = coloured_png(heatmap_png(answer.result.anomaly_map, loaded.inspector.manifest.colour_scale))
    return Shown(_jpeg(loaded, picture, answer.record.picture), heatmap)


def picture_of(station: Station, news: News, id: str) -> bytes | None:
    """A JPEG of the picture of a record: at its best, as far as it was kept, or small; None where there is none."""
    if (shown := news.shown(id)) is not None:
        return shown.picture
    record, file = station.history.get(id), station.history.picture(id)
    if record is None or file is None:
        return station.history.thumbnail(id)
    try:
        loaded = station.bundles.get(record.bundle)
    except UnknownBundle:  # another station's history, or a bundle of before
        return station.history.thumbnail(id)
    return _jpeg(loaded, file, record.picture)


def heatmap_of(station: Station, news: News, id: str) -> bytes:
    """An RGBA PNG of the heat map of a record; clear where none was kept."""
    if (shown := news.shown(id)) is not None:
        return shown.heatmap or NOTHING
    grey = station.history.heatmap(id)
    return coloured_png(grey) if grey is not None else NOTHING


def left_out(loaded: Loaded, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels that have no part in scores, since they were never learned or are ignored."""
    mask = np.zeros(size, bool)
    for region in (loaded.inspector.region, loaded.inspector.judged):
        if region is not None and region.size == size:
            mask |= ~region.mask
    return mask


def _jpeg(loaded: Loaded, file: bytes, name: str) -> bytes:
    return jpeg(read_image(InMemory(name, file), pixels=loaded.inspector.manifest.data.pixels), SHOWN)
