"""Helpers: a clean environment, and launchers of our own to be stopped and killed."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from soulseer.sandbox.environment import KEYS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def clean_environment(tmp_path: Path) -> dict[str, str]:
    """An environment as in a fresh shell, with a sandbox directory of its own."""
    dropped = {*KEYS, "APP_ENV", "MAKELEVEL", "MAKEFLAGS", "SOULSEER_OWNER", "SOULSEER_START"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {
        **kept,
        "SANDBOX_DIR": str(tmp_path / "var"),
        "PYTHONPATH": str(REPOSITORY),
        "SOULSEER_TEST": str(tmp_path),
    }


@pytest.fixture
def launch(
    clean_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a Python script as a launcher with its output in a pipe; whatever is left of it is killed afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=clean_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    for left in marked(tmp_path):
        left.kill()


def marked(tmp_path: Path) -> list[psutil.Process]:
    """The live processes that carry this test's mark in their environment, and so come from its launchers."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.environ().get("SOULSEER_TEST") == str(tmp_path)
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def running(tmp_path: Path, words: str) -> list[psutil.Process]:
    """Those of ``marked`` with ``words`` in their command line."""
    found = []
    for process in marked(tmp_path):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie by now, or gone
            if words in " ".join(process.cmdline()):
                found.append(process)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once ``condition()`` is true; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.05)
