"""Verdicts go where the line needs them: a table, JSON lines, a webhook, MQTT; none is lost on the way."""

from flawsight.station.outbox.outbox import Outbox, SinkStatus
from flawsight.station.outbox.sink import Sink, SinkDown
from flawsight.station.outbox.sinks import sinks_of

__all__ = ["Outbox", "Sink", "SinkDown", "SinkStatus", "sinks_of"]
