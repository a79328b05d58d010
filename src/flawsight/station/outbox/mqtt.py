"""MQTT: every verdict is published, and counts when the broker has acknowledged it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from flawsight.core import FlawsightError
from flawsight.station.history import Record
from flawsight.station.outbox.sink import SinkDown, document

_PATIENCE = 10.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Address:
    """Where to publish. `shown` is what is said of it; a password is in no text made of this."""

    is_secure: bool
    host: str
    port: int
    topic: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address for people."""
        return f"mqtt{'s' * self.is_secure}://{self.host}:{self.port}/{self.topic}"


def address_of(url: str) -> Address:
    """An address mqtt[s]://[USER:PASSWORD@]HOST[:PORT]/TOPIC, taken apart; FlawsightError if it is none."""
    try:
        parts = urlsplit(url)
        host, port, topic = parts.hostname, parts.port, unquote(parts.path.removeprefix("/"))
    except ValueError:
        raise _no_address() from None
    is_plain = not set(url) & set("#?") and not set(topic) & set("#+\0")
    if parts.scheme not in _PORTS or not host or not topic or not is_plain:
        raise _no_address()
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    return Address(parts.scheme == "mqtts", host, port or _PORTS[parts.scheme], topic, user, password)


class Mqtt:
    """Publishes with QoS 1, not retained; TOPIC/status says `online`, or `offline` once the station is gone."""

    name = "mqtt"
    at_once = 100

    def __init__(self, url: str) -> None:
        self._address = address_of(url)
        self._client: paho.Client | None = None
        self._lost = threading.Event()

    def send(self, records: Sequence[Record]) -> None:
        """Publish them and wait for the acknowledgements; SinkDown, and a new connection next time, without them."""
        client = self._connected()
        try:
            waiting = [client.publish(self._address.topic, document(record).encode(), qos=1) for record in records]
        except ValueError as error:  # longer than MQTT allows
            raise SinkDown(f"{self._address.shown}: {error}", is_refused=True) from None
        until = time.monotonic() + _PATIENCE
        sent = 0
        while sent < len(waiting):
            if waiting[sent].rc == paho.MQTT_ERR_SUCCESS and waiting[sent].is_published():
                sent += 1
            elif self._lost.wait(0.002) or time.monotonic() > until:
                # Not left to the client, which would send them a second time when it is back.
                self._drop()
                raise SinkDown(f"{self._address.shown} does not acknowledge", sent)

    def close(self) -> None:
        """Say `offline` and go."""
        if self._client is not None and not self._lost.is_set():
            self._client.publish(f"{self._address.topic}/status", "offline", qos=1, retain=True).wait_for_publish(1.0)
        self._drop()

    def _connected(self) -> paho.Client:
        if self._client is not None and not self._lost.is_set():
            return self._client
        self._drop()
        address, said = self._address, _Answer()
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"flawsight-{os.urandom(6).hex()}", reconnect_on_failure=False
        )
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if address.is_secure:
            client.tls_set()
        client.will_set(f"{address.topic}/status", "offline", qos=1, retain=True)
        lost = threading.Event()
        client.on_connect = said.take
        client.on_disconnect = lambda *_: lost.set()
        try:
            client.connect(address.host, address.port, keepalive=30)
        except (OSError, ValueError) as error:
            raise SinkDown(f"{address.shown} cannot be reached ({error})") from None
        self._client, self._lost = client, lost
        client.loop_start()
        if not said.came.wait(_PATIENCE) or said.refusal:
            self._drop()
            raise SinkDown(f"{address.shown} refuses ({said.refusal or 'no answer'})", is_refused=bool(said.refusal))
        client.publish(f"{address.topic}/status", "online", qos=1, retain=True)
        return client

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            client.loop_stop()


class _Answer:
    """What the broker says when one connects."""

    def __init__(self) -> None:
        self.came, self.refusal = threading.Event(), ""

    def take(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        """Remember it."""
        del client, userdata, flags, properties
        self.refusal = str(reason) if reason.is_failure else ""
        self.came.set()


def _no_address() -> FlawsightError:
    return FlawsightError(
        "--mqtt is no address: write mqtt[s]://[USER:PASSWORD@]HOST[:PORT]/TOPIC, "
        "with / and # and @ in a password as %2F and %23 and %40"
    )
