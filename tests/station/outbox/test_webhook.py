"""A webhook, against a real server that fails at times."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flawsight.core import FlawsightError
from flawsight.station.history import History, Record
from flawsight.station.outbox import Outbox, SinkDown
from flawsight.station.outbox.outbox import Delays
from flawsight.station.outbox.webhook import Webhook

Make = Callable[..., Record]


class Receiver:
    """What came, and with what the next requests are answered."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict, dict]] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.came.append((self.path, dict(self.headers), json.loads(body)))
                status = outer.answers.pop(0) if outer.answers else 200
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_each_verdict_is_posted_with_its_id(receiver: Receiver, record: Make) -> None:
    sink = Webhook(f"http://127.0.0.1:{receiver.port}/line/3?token=secret")
    records = [record(), record(picture="B\udcf6.png")]
    sink.send(records)
    sink.send([])
    sink.close()
    path, headers, document = receiver.came[0]
    assert path == "/line/3?token=secret" and headers["Content-Type"] == "application/json"
    assert document == records[0].to_dict()
    assert [came[1]["Idempotency-Key"] for came in receiver.came] == [one.id for one in records]


@pytest.mark.parametrize("status", [301, 400, 401, 404, 422])
def test_a_refusal_is_said_and_tried_seldom(receiver: Receiver, record: Make, status: int) -> None:
    receiver.answers = [200, status]
    with pytest.raises(SinkDown, match=f"answers {status}") as caught:
        Webhook(f"http://127.0.0.1:{receiver.port}/x").send([record(), record(), record()])
    assert caught.value.is_refused and caught.value.sent == 1 and len(receiver.came) == 2


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_will_pass_is_tried_soon(receiver: Receiver, record: Make, status: int) -> None:
    receiver.answers, receiver.headers = [status], {"Retry-After": "7"}
    with pytest.raises(SinkDown) as caught:
        Webhook(f"http://127.0.0.1:{receiver.port}/x").send([record()])
    assert not caught.value.is_refused and caught.value.sent == 0 and caught.value.wait == 7


def test_nobody_is_there(record: Make) -> None:
    with pytest.raises(SinkDown, match=r"http://127\.0\.0\.1:9/x cannot be reached") as caught:
        Webhook("http://user:password@127.0.0.1:9/x?token=secret").send([record()])
    assert "password" not in caught.value.reason and "secret" not in caught.value.reason


@pytest.mark.parametrize(
    "url", ["", "host/x", "ftp://host/x", "http://", "http://host:x/", "http://u:pass@host:99999/"]
)
def test_no_address(url: str) -> None:
    with pytest.raises(FlawsightError, match="--webhook is no address") as caught:
        Webhook(url)
    assert "pass" not in str(caught.value)


def test_all_arrive_through_failures(
    receiver: Receiver, open_history: Callable[..., History], fill: Callable, until: Callable
) -> None:
    receiver.answers = [200, 500, 200, 404, 429] * 10
    history = open_history("webhook")
    ids = fill(history, 40)
    outbox = Outbox(history, [Webhook(f"http://127.0.0.1:{receiver.port}/x")], Delays(0.01, 0.02, 0.02))
    outbox.start()
    until(lambda: not history.waiting("webhook"))
    outbox.stop()
    keys = [came[1]["Idempotency-Key"] for came in receiver.came]
    assert list(dict.fromkeys(keys)) == ids
