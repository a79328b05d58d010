"""MQTT, against a real Mosquitto that is killed in the middle."""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from flawsight.core import FlawsightError
from flawsight.station.history import History, Record
from flawsight.station.outbox import Outbox, SinkDown
from flawsight.station.outbox.mqtt import Mqtt, address_of
from flawsight.station.outbox.outbox import Delays

Make = Callable[..., Record]
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
QUICK = Delays(0.02, 0.1, 0.1)


class Broker:
    """A Mosquitto on a port of its own, which keeps what its subscribers have not got."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.passwords = folder / "passwords"
        self.passwords.touch(mode=0o600)
        subprocess.run(["mosquitto_passwd", "-b", str(self.passwords), "line", "p@ss/w#rd"], check=False)
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\nautosave_on_changes true\nuser root\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.config)], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Broker(folder)
    made.start()
    yield made
    made.kill()


class Listener:
    """Everything below a topic, as it comes; it reconnects by itself."""

    def __init__(self, port: int, topic: str) -> None:
        self.came: list[paho.MQTTMessage] = []
        ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"listener-{port}", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = lambda _client, _data, message: self.came.append(message)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(30)

    def ids(self) -> list[str]:
        return [json.loads(one.payload)["id"] for one in self.came]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_each_verdict_is_published(broker: Broker, record: Make, until: Callable) -> None:
    listener = Listener(broker.port, "line/3")
    sink = Mqtt(f"mqtt://127.0.0.1:{broker.port}/line/3")
    records = [record(), record(picture="B\udcf6.png")]
    sink.send(records)
    until(lambda: len(listener.came) == 2)
    sink.close()
    assert json.loads(listener.came[0].payload) == records[0].to_dict()
    assert listener.ids() == [one.id for one in records]
    assert all(one.qos == 1 and not one.retain for one in listener.came)
    listener.close()


def test_whether_the_station_is_there(broker: Broker, record: Make, until: Callable) -> None:
    sink = Mqtt(f"mqtt://127.0.0.1:{broker.port}/line/3")
    sink.send([])
    listener = Listener(broker.port, "line/3/status")
    until(lambda: [one.payload for one in listener.came] == [b"online"])
    sink.close()
    until(lambda: [one.payload for one in listener.came] == [b"online", b"offline"])
    sink.send([record()])
    until(lambda: listener.came[-1].payload == b"online")
    assert sink._client is not None
    sink._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # as if it were killed
    until(lambda: listener.came[-1].payload == b"offline")
    sink.close()
    listener.close()


def test_all_arrive_though_the_broker_is_killed(
    broker: Broker, open_history: Callable[..., History], fill: Callable, until: Callable
) -> None:
    listener = Listener(broker.port, "line")
    history = open_history("mqtt")
    outbox = Outbox(history, [Mqtt(f"mqtt://127.0.0.1:{broker.port}/line")], QUICK)
    outbox.start()
    ids = fill(history, 150)
    outbox.wake()
    until(lambda: len(listener.came) > 20)
    broker.kill()
    ids += fill(history, 150)
    outbox.wake()
    until(lambda: outbox.status()[0].problem)
    assert history.waiting("mqtt")
    broker.start()
    until(lambda: not history.waiting("mqtt") and not outbox.status()[0].problem)
    outbox.stop()
    # A broker that is killed may forget what it has acknowledged, and has not written; what came later is all there.
    until(lambda: set(listener.ids()) >= set(ids[150:]))
    assert list(dict.fromkeys(one for one in listener.ids() if one in ids[150:])) == ids[150:]
    listener.close()


def test_a_password(broker: Broker, record: Make) -> None:
    broker.kill()
    if not broker.passwords.stat().st_size:
        pytest.skip("mosquitto_passwd is not installed")
    text = broker.config.read_text().replace("allow_anonymous true", "allow_anonymous false")
    broker.config.write_text(f"{text}password_file {broker.passwords}\n")
    broker.start()
    Mqtt(f"mqtt://line:p%40ss%2Fw%23rd@127.0.0.1:{broker.port}/line").send([record()])
    sink = Mqtt(f"mqtt://line:secret@127.0.0.1:{broker.port}/line")
    with pytest.raises(SinkDown, match=r"refuses \(Not authorized\)") as caught:
        sink.send([record()])
    assert caught.value.is_refused
    assert "secret" not in f"{caught.value.reason} {caught.value!r} {sink._address!r} {sink!r}"


def test_nobody_is_there(record: Make) -> None:
    sink = Mqtt("mqtt://line:secret@127.0.0.1:9/line")
    with pytest.raises(SinkDown, match=r"mqtt://127\.0\.0\.1:9/line cannot be reached") as caught:
        sink.send([record()])
    assert "secret" not in caught.value.reason
    sink.close()


def test_a_broker_that_never_answers(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flawsight.station.outbox.mqtt._PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = Mqtt(f"mqtt://127.0.0.1:{silent.getsockname()[1]}/line")
        with pytest.raises(SinkDown, match="no answer"):
            sink.send([record()])


def test_addresses() -> None:
    found = address_of("mqtts://line%201:p%40ss@broker.example/a/b%20c")
    assert (found.is_secure, found.host, found.port, found.topic) == (True, "broker.example", 8883, "a/b c")
    assert (found.user, found.password) == ("line 1", "p@ss") and found.shown == "mqtts://broker.example:8883/a/b c"
    assert address_of("mqtt://[::1]:99/x").port == 99


WRONG = [
    "", "mqtt://host", "mqtt://host/", "http://host/x", "mqtt:///x", "mqtt://host/a/#", "mqtt://host/+/a",
    "mqtt://u:secret/x@host/topic", "mqtt://u:secret@host:99999/x", "mqtt://host/x?secret=1",
]  # fmt: skip


@pytest.mark.parametrize("url", WRONG)
def test_no_address(url: str) -> None:
    with pytest.raises(FlawsightError, match="--mqtt is no address") as caught:
        Mqtt(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
