"""serve: from settings to a station that listens, until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

from flawsight.core import FlawsightError
from flawsight.settings import ServeSettings
from flawsight.station.rest import make_app
from flawsight.station.rest.access import read_token
from flawsight.station.station import Station

SECONDS_TO_FINISH = 30
"""Requests that were taken are given so long when the station is told to stop."""
MOST_CONNECTIONS = 1000


def run_serve(settings: ServeSettings, say: Callable[[str], object]) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what was taken. `say` is told the address when it answers.

    FlawsightError where a bundle, the token, a folder or the port is not as it should be.
    """
    import uvicorn

    from flawsight.station.patience import Patience

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                host, port = listening.getsockname()[:2]
                say(f"http://{_shown(host)}:{port}")

    token = read_token(settings.token_file, settings.host)
    # While uvicorn runs it has handlers of its own, and gives the signal back at its end: to stop is no error.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    with _listening(settings) as listening, Station(settings) as station:
        config = uvicorn.Config(
            make_app(station, token),
            http=Patience,
            log_level="warning",
            access_log=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
            server_header=False,
            proxy_headers=False,
        )
        Server(config).run(sockets=[listening])


def _end(*_: object) -> None:
    raise SystemExit(0)


def _listening(settings: ServeSettings) -> socket.socket:
    """Bound before anything is loaded, so that a port that is taken is said at once."""
    try:
        family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        raise FlawsightError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror or error}): choose another --port or "
            "--host"
        ) from error
    return found


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
