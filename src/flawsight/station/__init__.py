"""The inspection station: a service and a page over bundles, where there is no torch."""

from flawsight.station.bundles import Bundles, Loaded, UnknownBundle
from flawsight.station.drift import Standing
from flawsight.station.engine import Answer, QueueFull
from flawsight.station.station import Station

__all__ = ["Answer", "Bundles", "Loaded", "QueueFull", "Standing", "Station", "UnknownBundle"]
