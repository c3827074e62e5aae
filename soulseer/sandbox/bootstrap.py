"""The way from a bare Python to the virtual environment; after that ``launcher`` takes over in the same process.

Standard library only.
"""

import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import NoReturn

from soulseer.sandbox import checks, processes, stamps, steps
from soulseer.sandbox.places import SandboxError
from soulseer.sandbox.steps import StepFailed, step

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT = REPOSITORY / ".venv"
RUN_LOCK = REPOSITORY / "requirements.lock"
DEVELOPMENT_LOCK = REPOSITORY / "requirements-dev.lock"
PIP_INSTALL = ("install", "--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")
UV_COMPILE = (
    "pip",
    "compile",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
)
COMMANDS = {
    "run": RUN_LOCK,
    "assets": RUN_LOCK,
    "setup": DEVELOPMENT_LOCK,
    "test": DEVELOPMENT_LOCK,
    "lint": DEVELOPMENT_LOCK,
}


def sandbox_directory() -> Path:
    """Where the sandbox keeps all it has: SANDBOX_DIR, ``var`` beside this repository by default."""
    return Path(os.environ.get("SANDBOX_DIR") or REPOSITORY / "var").resolve()


def main(arguments: list[str]) -> int:
    """Run one of dev.py's commands; the exit status."""
    command, *rest = arguments or [""]
    if command not in {*COMMANDS, "lock"}:
        print(
            "usage: python3 dev.py run | test [pytest arguments] | lint | setup | assets | lock",
            file=sys.stderr,
        )
        return 2
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    os.environ.setdefault("SOULSEER_START", repr(time.time()))
    if "MAKELEVEL" in os.environ:
        os.environ.setdefault("SOULSEER_OWNER", str(os.getppid()))
    try:
        if command == "run":
            print("SoulSeer: starting the sandbox", flush=True)
        check_machine(command)
        if command == "lock":
            lock()
            return 0
        make_environment(COMMANDS[command])
        if command == "setup":
            return 0
        hand_over(command, rest)
    except StepFailed as failure:
        steps.report(failure)
    except SandboxError as error:
        print(f"\n{error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 1


def check_machine(command: str) -> None:
    """Everything that can be known before the long steps. Raises StepFailed."""
    with step("this machine") as current:
        current.label = checks.platform_words()
        checks.check_venv()
        checks.check_disk(REPOSITORY, 200_000_000 if ENVIRONMENT.exists() else checks.NEEDED_BYTES)
        if command == "run":
            if os.environ.get("APP_ENV", "development") == "production":
                raise StepFailed(
                    "APP_ENV is production; the sandbox is for trying and testing",
                    "For the real thing see Procfile, Dockerfile and .env.example.",
                )
            port = checks.wanted_port()
            directory = sandbox_directory()
            one = checks.LauncherLock(directory)
            one.take()
            found = processes.stop_leftovers(directory / "run")
            one.release()
            if found:
                current.label += f"; ended what a crash had left: {', '.join(found)}"
            checks.check_port(port)


def make_environment(lock_file: Path) -> None:
    """Make .venv and install what ``lock_file`` pins; nothing happens if that was done before. Raises StepFailed."""
    facts = (platform.python_version(), platform.machine(), sys.base_prefix, str(ENVIRONMENT))
    made = ENVIRONMENT / "made.stamp"
    logs = sandbox_directory() / "log"
    if not stamps.is_current(made, stamps.fingerprint([], *facts)):
        with step("virtual environment (.venv)"):
            if made.exists():  # of another Python, or moved here: its scripts point elsewhere
                shutil.rmtree(ENVIRONMENT)
            steps.run_logged(
                [sys.executable, "-m", "venv", ENVIRONMENT],
                logs / "venv.log",
                hint="Remove .venv and try again; on Debian and Ubuntu the package python3-venv is needed.",
            )
            stamps.write(made, stamps.fingerprint([], *facts))
    if is_installed(lock_file):
        return
    with step(f"dependencies ({lock_file.name})"):
        steps.run_logged(
            python("-m", "pip", *PIP_INSTALL, "--require-hashes", "-r", str(lock_file)),
            logs / "pip.log",
            hint="Most often the network or the package index is out of reach; pip's own settings apply. Try again.",
        )
        note_installed(lock_file)


def is_installed(lock_file: Path) -> bool:
    """Whether the environment holds what ``lock_file`` pins."""
    return stamps.is_current(ENVIRONMENT / f"{lock_file.name}.stamp", stamps.fingerprint([lock_file]))


def note_installed(lock_file: Path) -> None:
    """Note that ``lock_file`` is installed, and the smaller one with it where its pins are among these."""
    stamps.write(ENVIRONMENT / f"{lock_file.name}.stamp", stamps.fingerprint([lock_file]))
    other = RUN_LOCK if lock_file == DEVELOPMENT_LOCK else DEVELOPMENT_LOCK
    if other == RUN_LOCK and stamps.pins(RUN_LOCK) <= stamps.pins(DEVELOPMENT_LOCK):
        stamps.write(ENVIRONMENT / f"{RUN_LOCK.name}.stamp", stamps.fingerprint([RUN_LOCK]))
    elif not stamps.pins(RUN_LOCK) <= stamps.pins(DEVELOPMENT_LOCK):
        (ENVIRONMENT / f"{other.name}.stamp").unlink(missing_ok=True)  # the two replace each other's versions


def python(*words: str) -> list[str]:
    """A command line for the environment's Python."""
    return [str(ENVIRONMENT / "bin" / "python"), *words]


def hand_over(command: str, rest: list[str]) -> NoReturn:
    """Become the launcher: same process, the environment's Python."""
    os.chdir(REPOSITORY)
    os.environ["VIRTUAL_ENV"] = str(ENVIRONMENT)
    os.environ["PATH"] = f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    sys.stdout.flush()
    words = python("-m", "soulseer.sandbox.launcher", command, *rest)
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted


def lock() -> None:
    """Resolve requirements*.in into the lock files: hashes, no index address, one lock for all platforms."""
    tool = sandbox_directory() / "lock-environment"
    logs = sandbox_directory() / "log"
    with step("uv, the resolver"):
        if not (tool / "bin" / "uv").exists():
            steps.run_logged(
                [sys.executable, "-m", "venv", tool], logs / "venv.log", hint="Remove var and try again."
            )
            install: list[str | Path] = [tool / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"]
            steps.run_logged(install, logs / "pip.log", hint="Is the package index in reach?")
    for name, more in (("requirements", []), ("requirements-dev", ["--constraint", "requirements.lock"])):
        with step(f"{name}.lock"):
            steps.run_logged(
                [tool / "bin" / "uv", *UV_COMPILE, *more, f"{name}.in", "--output-file", f"{name}.lock"],
                logs / "lock.log",
                hint="No set of versions satisfies the .in file, or the index is out of reach: see above.",
                folder=REPOSITORY,
                environment={**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "make lock"},
            )
