"""What must be so before the long steps begin. Standard library only: it runs before there is an environment."""

import fcntl
import importlib.util
import json
import os
import platform
import shutil
import sys
from pathlib import Path

from soulseer.sandbox import places
from soulseer.sandbox.steps import StepFailed

OLDEST_GLIBC = (2, 28)
MACHINES = {"Linux": ("x86_64", "aarch64"), "Darwin": ("x86_64", "arm64")}
NEEDED_BYTES = 2_000_000_000  # for a first start; measured: environment 0.7 GB, packages' cache, data


def platform_words() -> str:
    """The platform in a few words. Raises StepFailed where the embedded servers do not run."""
    system, machine = platform.system(), platform.machine()
    words = f"Python {platform.python_version()} on {system} {machine}"
    if machine not in MACHINES.get(system, ()):
        raise StepFailed(
            f"{words}: the sandbox runs on Linux (x86_64, arm64) and macOS",
            "On Windows use WSL 2. Elsewhere use the Dockerfile with your own PostgreSQL 18 and Redis.",
        )
    if system == "Linux":
        library, version = platform.libc_ver()
        if library != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GLIBC:
            raise StepFailed(
                f"{words} with {library or 'another C library than glibc'} {version}: glibc 2.28 or later is needed",
                "Use a newer distribution (Debian 10, Ubuntu 18.10, RHEL 8 or later; not Alpine).",
            )
    return words


def check_venv() -> None:
    """Raises StepFailed if this Python cannot make virtual environments."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise StepFailed(
            "this Python cannot make virtual environments (its venv or ensurepip module is missing)",
            f"On Debian and Ubuntu: apt install python{version}-venv. Or name another: make run PYTHON=python3.12",
        )


def check_disk(folder: Path, needed: int = NEEDED_BYTES) -> None:
    """Raises StepFailed when ``folder``'s disk has less than ``needed`` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StepFailed(
            f"{free / 1e9:.1f} GB free on the disk of {folder}; {needed / 1e9:.1f} GB are needed"
        )


def wanted_port() -> int:
    """The web's TCP port: PORT, 8000 by default. Raises StepFailed if it is not one."""
    words = os.environ.get("PORT") or "8000"
    if not words.isascii() or not words.isdigit() or not 1 <= int(words) <= 65535:
        raise StepFailed(
            f"PORT is {words!r}; it must be a number from 1 to 65535", "Such as: PORT=8001 make run"
        )
    return int(words)


def check_port(port: int) -> None:
    """Raises StepFailed if another program listens on ``port``."""
    if not places.port_is_free(port):
        raise StepFailed(
            f"port {port} is taken by another program (or not ours to use)",
            f"Choose another: PORT={port + 1 if port < 65535 else 8001} make run",
        )


class LauncherLock:
    """One launcher for each sandbox directory; the kernel lets go of the lock however the launcher ends."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = (directory / "launcher.lock").open("a+")

    def take(self, **facts: object) -> None:
        """Take the lock and note ``facts`` for others to read. Raises StepFailed if another launcher has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            words = self._file.read()
            other = json.loads(words) if words else {}
            raise StepFailed(
                f"SoulSeer runs from here already (process {other.get('pid', '?')}, {other.get('address', 'starting')})",
                "Use that one, or stop it first (Ctrl-C in its terminal).",
            ) from None
        self._file.truncate(0)
        self._file.write(json.dumps({"pid": os.getpid(), **facts}))
        self._file.flush()

    def release(self) -> None:
        """Let go."""
        self._file.close()
