"""From the bytes of pictures to answers, in threads behind a queue that has an end."""

from flawsight.station.engine.engine import Engine
from flawsight.station.engine.job import Answer, Job, QueueFull, Stopping, TimedOut

__all__ = ["Answer", "Engine", "Job", "QueueFull", "Stopping", "TimedOut"]
