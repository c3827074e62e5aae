"""One leader by a PostgreSQL advisory lock on a connection of its own (design §5)."""

import os
import socket
import threading
from datetime import datetime
from typing import Any

import psycopg
import structlog

from soulseer.domain.schedule import LEADER_LOCK_KEY

log = structlog.get_logger(__name__)

_PAUSED = "SELECT until FROM job_pause WHERE job = %s AND lifted_at IS NULL AND until > clock_timestamp()"


class Leadership:
    """Holds the lock while its connection lives. ``url`` as libpq wants it (``postgresql://…``)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._guard = threading.Lock()

    def acquire(self) -> None:
        """Wait, however long, until this process leads. Raises psycopg.OperationalError if the database goes away."""
        self._connection = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=5,
            application_name=f"soulseer-scheduler {socket.gethostname()}:{os.getpid()}",
            keepalives_idle=2,
            keepalives_interval=1,
            keepalives_count=3,
            # The server notices within half a second that a waiting or leading scheduler was killed.
            options="-c client_connection_check_interval=500ms -c lock_timeout=0 -c idle_session_timeout=0",
        )
        self._connection.execute("SELECT pg_advisory_lock(%s)", [LEADER_LOCK_KEY])
        log.info("scheduler_leads")

    def holds(self) -> bool:
        """Whether this process leads still: asks the database over the lock's own connection."""
        with self._guard:
            if self._connection is None or self._connection.closed:
                return False
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                log.warning("scheduler_lost_its_connection")
                return False
            return True

    def paused_until(self, job: str) -> datetime | None:
        """Until when staff paused ``job``, asked over the lock's own connection; None where it runs, or nobody knows: then the
        worker asks again (jobs/runner.py)."""
        with self._guard:
            if self._connection is None or self._connection.closed:
                return None
            try:
                found = self._connection.execute(_PAUSED, [job]).fetchone()
            except psycopg.Error:
                log.warning("scheduler_lost_its_connection")
                return None
            return found[0] if found else None

    def release(self) -> None:
        """Give the lock up by closing its connection."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
