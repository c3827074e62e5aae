"""How gunicorn serves the product: ``gunicorn -c config/gunicorn.py wsgi:app``.

WEB_CONCURRENCY sets the processes (2), WEB_THREADS the threads of each (2: more of them fight over the interpreter,
measured), WEB_GRACEFUL_SECONDS how long a stop waits for requests (30). Behind a proxy that ends TLS, name it in
FORWARDED_ALLOW_IPS (gunicorn's own variable: addresses, comma-separated; loopback by default; ``*`` only where nothing
but the proxy can reach this port), else its X-Forwarded-Proto is not believed.
"""

import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from config.logging import configure_logging
from config.settings import SettingsError, load_settings

production = os.environ.get("APP_ENV") == "production"

bind = f"{'0.0.0.0' if production else '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"  # noqa: S104 - a container
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS") or 2)
preload_app = False  # each worker opens its own connections
timeout = 60
graceful_timeout = int(os.environ.get("WEB_GRACEFUL_SECONDS") or 30)
keepalive = 5
max_requests = 20_000
max_requests_jitter = 2_000
control_socket_disable = True
if Path("/dev/shm").is_dir():  # noqa: S108 - a disk that stalls must not look like a worker that does
    worker_tmp_dir = "/dev/shm"  # noqa: S108

accesslog = None  # the app logs its requests itself

# Shared by the workers, so that any of them can answer GET /metrics for all; set before they import the client.
metrics = os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", "") or tempfile.mkdtemp(
    prefix="soulseer-metrics-"
)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
Path(metrics).mkdir(parents=True, exist_ok=True)


def on_starting(server: Any) -> None:
    """Send gunicorn's own log lines to standard output, in the app's form. Stops on settings that allow no start: here
    once, or the workers would be started again and again."""
    try:
        load_settings()
    except SettingsError as error:
        sys.exit("\n".join(error.faults))
    configure_logging(os.environ.get("LOG_LEVEL") or "INFO", as_json=production)
    server.log.error_log.handlers.clear()
    server.log.error_log.propagate = True


def post_worker_init(worker: Any) -> None:
    """What was loaded at the start stays for the worker's life: the collector need not walk through it again."""
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Drop a dead worker's gauges from the sum."""
    from prometheus_client.multiprocess import mark_process_dead  # reads the variable above when imported

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
