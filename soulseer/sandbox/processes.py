"""Processes that end with their launcher: each in a session of its own, known to the guard and to the kernel."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from soulseer.sandbox import guard

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The user and group that a process runs as."""

    uid: int
    gid: int


class Process:
    """A started process; ``stop`` ends it and all that it started."""

    def __init__(self, popen: "subprocess.Popen[bytes]", stop_signal: int, record: Path | None) -> None:
        self.popen = popen
        self.pid = popen.pid
        self.stop_signal = stop_signal
        self.started = time.monotonic()
        self._record = record
        self._closed = False

    def poll(self) -> int | None:
        """The exit status once the process has ended (what it left behind is killed then), else None."""
        status = self.popen.poll()
        if status is not None and not self._closed:
            self._close()
        return status

    def ask_to_stop(self) -> None:
        """Send the process its own stop signal."""
        self.popen.send_signal(self.stop_signal)

    def stop(self, timeout: float = 10.0) -> int:
        """Ask, wait up to ``timeout`` seconds, then kill. Returns the exit status."""
        self.ask_to_stop()
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        status = self.poll()
        assert status is not None
        return status

    def kill(self) -> None:
        """Kill the process and everything in its session at once."""
        for pid in guard.relatives([self.pid]):
            guard.send(pid, signal.SIGKILL)
        self.popen.wait()
        self.poll()

    def _close(self) -> None:
        self._closed = True
        for pid in guard.session_members(self.pid):
            guard.send(pid, signal.SIGKILL)
        _the_guard.forget(self.pid)
        if self._record:
            self._record.unlink(missing_ok=True)


def start(
    command: Sequence[str | Path],
    *,
    stop_signal: int = signal.SIGTERM,
    record: Path | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: IO[Any] | int | None = None,
    account: Account | None = None,
) -> Process:
    """Start ``command`` so that it cannot outlive this process.

    ``record`` names a file that identifies it for the next start; ``account`` asks for another user (root only).
    """
    switch: dict[str, Any] = (
        {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    )
    popen = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=environment,
        cwd=folder,
        start_new_session=True,
        # The kernel ties the signal to the thread that forked, so it is only of use from the main one.
        preexec_fn=_death_signal(stop_signal)
        if threading.current_thread() is threading.main_thread()
        else None,
        **switch,
    )
    _the_guard.watch(popen.pid, stop_signal)
    if record:
        record.write_text(
            json.dumps({"pid": popen.pid, "identity": identity(popen.pid), "signal": int(stop_signal)})
        )
    return Process(popen, stop_signal, record)


def _death_signal(number: int) -> Any:
    """What a Linux child runs before its program: be signalled when the launcher dies."""
    if _libc is None:
        return None
    launcher, prctl = os.getpid(), _libc.prctl

    def ask_the_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != launcher:  # it died between fork and prctl
            os._exit(1)

    return ask_the_kernel


def identity(pid: int) -> str | None:
    """What tells this process from a later one with the same id; None once it has ended."""
    if sys.platform == "linux":
        fields = guard.stat_fields(pid)
        return (
            None
            if fields is None
            else f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{fields[19]}"
        )
    found = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def command_line(pid: int) -> str:
    """The words that a live process was started with, as far as it has not overwritten them."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    found = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout


def stop_leftovers(records: Path, timeout: float = 10.0) -> list[str]:
    """End processes that an earlier launcher started here and that are provably those (same id, same start).

    Returns the names of those that were still running.
    """
    listed = {path.stem: path for path in sorted(records.glob("*.process"))}
    running: dict[str, int] = {}
    for name, path in listed.items():
        with contextlib.suppress(
            json.JSONDecodeError
        ):  # a crash while writing: nothing provable, nothing to end
            entry = json.loads(path.read_text())
            if entry["identity"] and identity(entry["pid"]) == entry["identity"]:
                guard.send(entry["pid"], entry["signal"])
                running[name] = entry["pid"]
    family = guard.relatives(running.values())
    deadline = time.monotonic() + timeout
    while family & guard.process_parents().keys():
        if time.monotonic() > deadline:
            for pid in family & guard.process_parents().keys():
                guard.send(pid, signal.SIGKILL)
            break
        time.sleep(0.05)
    for path in listed.values():
        path.unlink(missing_ok=True)
    return list(running)


class _Guard:
    """The launcher's side of ``guard``: one guard for each launching process, started with its first child."""

    def __init__(self) -> None:
        self._popen: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._listed: dict[int, int] = {}
        self._lock = threading.Lock()

    def watch(self, pid: int, stop_signal: int) -> None:
        with self._lock:
            self._adopt()
            self._listed[pid] = int(stop_signal)
            self._tell(f"+ {pid} {int(stop_signal)}\n")

    def forget(self, pid: int) -> None:
        with self._lock:
            self._listed.pop(pid, None)
            if self._popen is not None and self._owner == os.getpid():
                self._tell(f"- {pid}\n")

    def revive(self) -> None:
        """Start the guard again should somebody have ended it."""
        with self._lock:
            if self._popen is not None and self._popen.poll() is not None:
                self._begin()

    def _adopt(self) -> None:
        if self._popen is None or self._owner != os.getpid():
            self._listed = {}
            self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        listed = [str(number) for pair in self._listed.items() for number in pair]
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(guard.__file__)), *listed],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _tell(self, line: str) -> None:
        assert self._popen is not None
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(line.encode())
            self._popen.stdin.flush()
        except BrokenPipeError:
            self._begin()  # lists everything anew, this line's process included


_the_guard = _Guard()
keep_guard_alive = _the_guard.revive
