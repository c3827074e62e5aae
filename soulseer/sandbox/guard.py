"""Ends what a launcher started once that launcher is gone, however it went.

Run as a script with nothing but the standard library: the launcher holds the other end of standard input and writes
``+ PID SIGNAL`` for each process it starts and ``- PID`` for each it has seen end (those of before are arguments). End of file means that the launcher
has died (also by SIGKILL): every process still listed gets its signal, and what remains of its session or of its
descendants after GRACE_SECONDS is killed. With nothing listed the guard just leaves.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

GRACE_SECONDS = 4.0


def process_parents() -> dict[int, int]:
    """Every live process (no zombies) and its parent, by process id."""
    if sys.platform == "linux":
        table = {}
        for name in os.listdir("/proc"):  # noqa: PTH208 - the guard starts without site-packages and stays bare
            fields = stat_fields(int(name)) if name.isdigit() else None
            if fields:
                table[int(name)] = int(fields[1])
        return table
    listing = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split() for line in listing.splitlines())
    return {int(row[0]): int(row[1]) for row in rows if not row[2].startswith("Z")}


def stat_fields(pid: int) -> list[str] | None:
    """The fields of Linux's /proc/PID/stat from the state on; None if there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


def relatives(leaders: Iterable[int]) -> set[int]:
    """The live processes among ``leaders``, their descendants, and everything in the sessions that they lead."""
    leaders = set(leaders)
    parents = process_parents()
    found = {pid for pid in parents if pid in leaders or session_of(pid) in leaders}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def session_members(leader: int) -> set[int]:
    """What is left of the session of a leader that has ended (its own id may be anybody's by now)."""
    return {pid for pid in process_parents() if pid != leader and session_of(pid) == leader}


def session_of(pid: int) -> int | None:
    """The session that a process belongs to; None if it has gone or is out of our reach."""
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def send(pid: int, signal_number: int) -> None:
    """Send a signal; a process that has gone meanwhile is what was wanted."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal_number)


def end_all(listed: dict[int, int]) -> None:
    """Stop the listed processes (id → signal), last listed first, then kill what is left of their families."""
    family = relatives(listed)
    for pid in reversed(list(listed)):
        if pid in family:
            send(pid, listed[pid])
    deadline = time.monotonic() + GRACE_SECONDS
    while remaining := (family & process_parents().keys()) | relatives(listed):
        if time.monotonic() > deadline:
            for pid in remaining:
                send(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def main() -> None:
    """Follow the launcher's list until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    given = [int(word) for word in sys.argv[1:]]
    listed = dict(zip(given[::2], given[1::2], strict=True))
    for line in sys.stdin:
        words = line.split()
        if words[0] == "+":
            listed[int(words[1])] = int(words[2])
        else:
            listed.pop(int(words[1]), None)
    if listed:
        end_all(listed)


if __name__ == "__main__":
    main()
