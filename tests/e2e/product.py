"""The whole product as ``make run`` starts it, on ports and data of its own, with short waits."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.settings import REPOSITORY
from soulseer.sandbox.environment import KEYS
from tests.sandbox.ports import free_port

START_SECONDS = 90
# By the ledger, so that its check stays clean.
EMPTY = """
import sys, uuid
from decimal import Decimal
from sqlalchemy import select
from soulseer.app import create_app
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.people import Person
from soulseer.services import ledger
with create_app().app_context(), transaction():
    owner = db.session.scalars(select(Person.id).where(Person.email == sys.argv[1])).one()
    left = ledger.balance(AccountKind.CLIENT_WALLET, owner)
    postings = [ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, owner), -left),
                ledger.Posting(ledger.account_id(AccountKind.PLATFORM_PROMOTIONS), left)]
    if left:
        ledger.post(TransferKind.ADJUSTMENT, f"test:{uuid.uuid4()}", postings, clock.now())
"""
# Silence is a drop after five seconds instead of thirty; the page's heartbeat follows it.
SHORT_WAITS = {"PRESENCE_TIMEOUT_SECONDS": "5"}


@dataclass
class Product:
    """A running product."""

    url: str
    directory: Path
    environment: dict[str, str]

    def flask(self, *words: str) -> str:
        """Run a ``flask`` command as an operator would in another shell; its output. Fails where it fails."""
        return self._run(str(Path(sys.executable).parent / "flask"), *words)

    def empty_wallet(self, email: str) -> None:
        """Whatever other tests left in a person's wallet is taken out of it."""
        self._run(sys.executable, "-c", EMPTY, email)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            words,
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def tick(self, now: str) -> dict[str, Any]:
        """Move the business clock on to ``now`` (ISO 8601) with both present, and charge what is due."""
        words = self.flask("jobs", "run", "billing_tick", "--now", now, "--assume-present", "--json")
        counts: dict[str, Any] = json.loads(words.splitlines()[-1])
        return counts

    def balance(self, email: str, kind: str) -> Decimal:
        """What an account of a person holds, by the view that finance reads."""
        with psycopg.connect(self.facts["REPORTING_DATABASE_URL"]) as connection:
            row = connection.execute(
                "SELECT balance FROM reporting.ledger_accounts WHERE owner_email = %s AND kind = %s",
                (email, kind),
            ).fetchone()
        assert row is not None
        return Decimal(row[0])

    @property
    def facts(self) -> dict[str, str]:
        lines = (self.directory / "sandbox.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@contextmanager
def running(directory: Path) -> Iterator[Product]:
    """Start everything, wait until it answers, stop it with Ctrl-C; what it said is shown where it fails."""
    if not (REPOSITORY / "soulseer/static/build/room.js").exists():
        pytest.fail("the assets are not built: python3 dev.py assets")
    port = free_port()
    dropped = {*KEYS, "APP_ENV", "MAKELEVEL", "MAKEFLAGS", "SOULSEER_OWNER", "SOULSEER_START"}
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment |= {"SANDBOX_DIR": str(directory), "PORT": str(port), **SHORT_WAITS}
    log = directory.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "soulseer.sandbox.launcher", "run"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while not re.search(r"SoulSeer runs at", log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > give_up_at:
                pytest.fail(f"the product did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.1)
        yield Product(f"http://127.0.0.1:{port}", directory, environment)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
