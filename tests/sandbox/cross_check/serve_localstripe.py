"""localstripe (GPL, for tests only) as a program of its own: `python serve_localstripe.py PORT`.

Its own command listens on every interface, needs IPv6, and writes what it holds into one file in /tmp after each change.
"""

import sys

from aiohttp import web
from localstripe import resources, server  # type: ignore[import-untyped]

resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None, handle_signals=True)
