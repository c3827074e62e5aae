"""How a stand-in is served: one threaded WSGI server on the loopback address, stopped cleanly by a signal."""

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

HOST = "127.0.0.1"
_LONGEST_WAIT_FOR_REQUESTS_SECONDS = 3.0


class _RequestsInFlight:
    """Counts the requests that are being answered, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_exception: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait_until_none(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, timeout=seconds)


class _RequestHandler(WSGIRequestHandler):
    # Browsers open connections ahead of need and leave them silent.
    timeout = 30
    in_flight: _RequestsInFlight

    def run_wsgi(self) -> None:
        with self.in_flight:
            super().run_wsgi()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        path = self.path.partition("?")[0]
        if path != "/healthz":
            # The path alone: a query string may carry a login hint or a state.
            sys.stderr.write(f"{self.command} {path} {int(code)}\n")


class StandInServer:
    """A WSGI app served from threads of this process; `port` 0 picks a free one (see `.port`).

    `poll_seconds` bounds how long the accepting thread takes to notice a stop.
    """

    def __init__(self, app: WSGIApplication, port: int, poll_seconds: float = 0.2) -> None:
        self._in_flight = _RequestsInFlight()
        handler = type("RequestHandler", (_RequestHandler,), {"in_flight": self._in_flight})
        self._server: BaseWSGIServer = make_server(HOST, port, app, threaded=True, request_handler=handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(poll_seconds,), name="server", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, let those under way finish (three seconds at most), free the port."""
        self._server.shutdown()
        self.wait_for_requests()
        self._server.server_close()
        self._thread.join(timeout=1)

    def wait_for_requests(self) -> None:
        """Until those under way are answered, three seconds at most."""
        self._in_flight.wait_until_none(_LONGEST_WAIT_FOR_REQUESTS_SECONDS)

    def __enter__(self) -> "StandInServer":
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


def parse_arguments(description: str) -> tuple[int, Path]:
    """`--port P --directory D` of a stand-in's command line; makes the directory, for its owner alone."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="loopback port to listen on")
    parser.add_argument("--directory", type=Path, required=True, help="where keys and state are kept")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return arguments.port, arguments.directory


def serve_until_stopped(
    name: str,
    app: WSGIApplication,
    port: int,
    *,
    before: Callable[[], Any] | None = None,
    after: Callable[[], Any] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; `before` runs once the port is ours, `after` when the last request is answered."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    # A port that is taken ends the process with werkzeug's own word about it.
    with StandInServer(app, port) as server:
        if before is not None:
            before()
        print(f"{name} on {server.url}", file=sys.stderr, flush=True)
        stopped.wait()
    if after is not None:
        after()
