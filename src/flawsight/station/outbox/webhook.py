"""A webhook: every verdict is posted to an address as JSON."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from flawsight.core import FlawsightError
from flawsight.station.history import Record
from flawsight.station.outbox.sink import SinkDown, document

_PATIENCE = 10.0
_LATER = (408, 425, 429)


class Webhook:
    """Posts each record by itself, with its id as `Idempotency-Key`; only an answer 2xx counts."""

    name = "webhook"
    at_once = 16

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise _no_address() from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _no_address()
        # What is said of it: an address may hold a password or a token.
        self._shown = f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the whole address
        self._url = url
        self._client = httpx.Client(timeout=_PATIENCE, follow_redirects=False, headers={"User-Agent": "flawsight"})

    def send(self, records: Sequence[Record]) -> None:
        """Post them one after the other; SinkDown at the first that is not taken."""
        for number, record in enumerate(records):
            headers = {"Content-Type": "application/json", "Idempotency-Key": record.id}
            try:
                answer = self._client.post(self._url, content=document(record).encode(), headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = str(error).replace(self._url, self._shown) or type(error).__name__
                raise SinkDown(f"{self._shown} cannot be reached ({reason})", number) from None
            if not answer.is_success:
                is_refused = answer.status_code < 500 and answer.status_code not in _LATER
                said = f"{self._shown} answers {answer.status_code} {answer.reason_phrase}".rstrip()
                raise SinkDown(said, number, is_refused, _asked_to_wait(answer))

    def close(self) -> None:
        """Give the connection up."""
        self._client.close()


def _no_address() -> FlawsightError:
    return FlawsightError("--webhook is no address: write http[s]://HOST[:PORT]/PATH")


def _asked_to_wait(answer: httpx.Response) -> float:
    with suppress(ValueError):
        return max(0.0, float(answer.headers.get("Retry-After", "0")))
    return 0.0
