"""The list of steps that a start prints: one line each, with its time; a failure shows the end of the step's log."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from soulseer.sandbox import processes

TAIL_LINES = 25


class StepFailed(Exception):
    """A step could not be done: ``str()`` says why, ``hint`` what to do, ``log`` where more stands."""

    def __init__(self, why: str, hint: str = "", log: Path | None = None) -> None:
        super().__init__(why)
        self.hint = hint
        self.log = log


class Step:
    """The step that is under way; ``label`` may be made more precise until it ends."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.shown = True

    def hide(self) -> None:
        """Print nothing: there was nothing to do."""
        self.shown = False


@contextmanager
def step(label: str) -> Iterator[Step]:
    """Time one step and print its line. A StepFailed from inside passes on after its own line."""
    live = sys.stdout.isatty()
    current = Step(label)
    if live:
        print(f"  … {label}", end="", flush=True)
    begin = time.monotonic()
    clear = "\r\x1b[K" if live else ""
    try:
        yield current
    except BaseException:
        print(f"{clear}  ✗ {current.label}", flush=True)
        raise
    if current.shown:
        print(f"{clear}  ✓ {current.label:<58} {time.monotonic() - begin:6.1f} s", flush=True)
    elif live:
        print(clear, end="", flush=True)


def run_logged(
    command: Sequence[str | Path],
    log: Path,
    *,
    hint: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command with its output in ``log``; it cannot outlive us. Raises StepFailed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = processes.start(command, output=output, folder=folder, environment=environment)
        try:
            status = process.popen.wait()
        finally:
            process.kill()
    if status != 0:
        raise StepFailed(f"{Path(command[0]).name} ended with status {status}", hint, log)


def report(failure: StepFailed) -> None:
    """Print why a step failed, the end of its log, and what to do."""
    print(f"\n{failure}", file=sys.stderr)
    if failure.log and failure.log.exists():
        lines = failure.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        print(f"\nThe end of {failure.log}:", *lines, sep="\n    ", file=sys.stderr)
    if failure.hint:
        print(f"\n{failure.hint}", file=sys.stderr)


def writable_cache(name: str, home_cache: Path, fallback: Path) -> dict[str, str]:
    """The setting ``name`` for a tool's cache if its usual folder in the home cannot be written, else nothing."""
    place = home_cache
    while not place.exists():
        place = place.parent
    return {} if os.access(place, os.W_OK) else {name: str(fallback)}


def quick_output(command: Sequence[str | Path]) -> str:
    """The output of a small command. Raises subprocess.CalledProcessError."""
    return subprocess.run([str(w) for w in command], capture_output=True, text=True, check=True).stdout
