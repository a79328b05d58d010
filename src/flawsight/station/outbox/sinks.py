"""The sinks that the options ask for."""

from __future__ import annotations

from flawsight.settings.station import OutboxOptions
from flawsight.station.outbox.files import CsvFile, JsonLines
from flawsight.station.outbox.mqtt import Mqtt
from flawsight.station.outbox.sink import Sink
from flawsight.station.outbox.webhook import Webhook


def sinks_of(options: OutboxOptions) -> list[Sink]:
    """All of them; FlawsightError for an address that is none or a folder that cannot be made."""
    sinks: list[Sink] = []
    if options.csv is not None:
        sinks.append(CsvFile(options.csv))
    if options.jsonl is not None:
        sinks.append(JsonLines(options.jsonl))
    if options.webhook is not None:
        sinks.append(Webhook(options.webhook))
    if options.mqtt is not None:
        sinks.append(Mqtt(options.mqtt))
    return sinks
