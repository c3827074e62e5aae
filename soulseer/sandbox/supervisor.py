"""Keeps the parts of the sandbox running: one thread, one loop.

A part that ends is started again with a word and a back-off; a signal stops all of them in order. Why not a process
manager from the index: docs/adr/0002.
"""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from soulseer.sandbox import processes
from soulseer.sandbox.processes import Process

FIRST_BACK_OFF = 0.5  # seconds, doubled with each death
LONGEST_BACK_OFF = 30.0
STEADY_AFTER = 60.0  # seconds of life after which the back-off starts anew
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
LOOK_EVERY = 0.2


@dataclass
class Part:
    """One supervised process: how to start it, and how long (seconds) it may take to stop.

    ``start`` gets the descriptor to which the part's output goes, or ignores it where the part logs to a file.
    """

    name: str
    start: Callable[[int], Process]
    stop_timeout: float = 10.0
    process: Process | None = None
    back_off: float = 0.0
    restart_at: float | None = None
    pending: bytes = b""
    log: IO[bytes] | None = field(default=None, repr=False)


class Supervisor:
    """Runs parts until told to stop. ``logs`` is the folder for their output, ``owner`` a process to stop with."""

    def __init__(self, logs: Path, owner: int | None = None, out: IO[str] | None = None) -> None:
        self.parts: list[Part] = []
        self.quiet = False  # True: what parts write goes to their logs only
        self._logs = logs
        self._owner = owner
        self._out = out or sys.stdout
        self._colour = self._out.isatty() and "NO_COLOR" not in os.environ
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        logs.mkdir(parents=True, exist_ok=True)

    def catch_signals(self) -> None:
        """From now on SIGINT, SIGTERM and SIGHUP end ``run`` (and ``wait_until``) instead of this process."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, _frame: self._signals.append(received))

    @property
    def stopping(self) -> bool:
        """Whether a signal came, or the process that we belong to has gone."""
        return bool(self._signals) or (self._owner is not None and os.getppid() != self._owner)

    def start(self, part: Part) -> None:
        """Start a part and keep it running. Parts are stopped in the reverse order of their starts."""
        part.log = (self._logs / f"{part.name}.log").open("wb", buffering=0)
        self.parts.append(part)
        self._spawn(part)

    def adopt(self, part: Part, process: Process) -> None:
        """Keep a part running that was started already."""
        part.process = process
        self.parts.append(part)

    def run(self) -> None:
        """Look after the parts until told to stop."""
        self.wait_until(lambda: False)

    def wait_until(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Look after the parts until ``ready()``; False if told to stop, or after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.stopping:
            if ready():
                return True
            if deadline is not None and time.monotonic() > deadline:
                return False
            self._pump(LOOK_EVERY if deadline is None else 0.05)
            self._restart_the_dead()
            processes.keep_guard_alive()
        return False

    def stop(self) -> None:
        """Stop all parts, the last started first; a second signal kills them all."""
        asked = len(self._signals)
        for part in reversed(self.parts):
            part.restart_at = None
            if part.process is None or part.process.poll() is not None:
                continue
            part.process.ask_to_stop()
            deadline = time.monotonic() + part.stop_timeout
            while part.process.poll() is None:
                if len(self._signals) > asked or time.monotonic() > deadline:
                    part.process.kill()
                self._pump(0.02)
        self._pump(0)
        for part in self.parts:
            if part.log:
                part.log.close()
        self._selector.close()

    def _spawn(self, part: Part) -> None:
        reading, writing = os.pipe()
        try:
            part.process = part.start(writing)
        finally:
            os.close(writing)
        part.restart_at = None
        os.set_blocking(reading, False)
        self._selector.register(reading, selectors.EVENT_READ, part)

    def _restart_the_dead(self) -> None:
        for part in self.parts:
            now = time.monotonic()
            if part.restart_at is not None:
                if now >= part.restart_at:
                    self._try_again(part)
                continue
            assert part.process is not None
            status = part.process.poll()
            if status is None:
                continue
            lived = now - part.process.started
            part.back_off = FIRST_BACK_OFF if lived >= STEADY_AFTER else self._longer(part)
            part.restart_at = now + part.back_off
            how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
            self._say(part, f"ended after {lived:.0f} s ({how}); starting again in {part.back_off:g} s")

    def _try_again(self, part: Part) -> None:
        try:
            self._spawn(part)
        except Exception as error:  # whatever it is, it is said, and the other parts must go on
            part.back_off = self._longer(part)
            part.restart_at = time.monotonic() + part.back_off
            self._say(part, f"cannot be started ({error}); trying again in {part.back_off:g} s")
        else:
            self._say(part, "started again")

    def _say(self, part: Part, text: str) -> None:
        """Our own word on a part, in its log as well."""
        if part.log:
            part.log.write(f"supervisor: {text}\n".encode())
        if not self.quiet:
            self._print(part.name, text)

    def _longer(self, part: Part) -> float:
        return min(max(part.back_off * 2, FIRST_BACK_OFF), LONGEST_BACK_OFF)

    def _pump(self, timeout: float) -> None:
        """Pass on what the parts have written, waiting up to ``timeout`` seconds for something."""
        if not self._selector.get_map():
            time.sleep(timeout)
            return
        for key, _ in self._selector.select(timeout):
            part: Part = key.data
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fd)
                os.close(key.fd)
            if part.log:
                part.log.write(data)
            *lines, part.pending = (part.pending + data).split(b"\n")
            if not self.quiet:
                for line in lines:
                    self._print(part.name, line.decode(errors="replace"))

    def _print(self, name: str, text: str) -> None:
        prefix = f"{name:<10} | "
        if self._colour:
            names = [part.name for part in self.parts]
            number = names.index(name) if name in names else 0
            prefix = f"\x1b[{COLOURS[number % len(COLOURS)]}m{prefix}\x1b[0m"
        try:
            self._out.write(f"{prefix}{text}\n")
            self._out.flush()
        except (BrokenPipeError, OSError):  # the terminal has gone: as good as SIGHUP
            self._signals.append(signal.SIGHUP)
            self._out = Path(os.devnull).open("w")  # noqa: SIM115 - lives as long as this process
