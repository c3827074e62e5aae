"""``dev.py``'s commands inside the environment: start the whole sandbox, run the tests, lint, build assets."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from soulseer.sandbox import assets, bootstrap, steps
from soulseer.sandbox.places import SandboxError
from soulseer.sandbox.run import run
from soulseer.sandbox.steps import StepFailed, step

LINTERS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", "soulseer", "config"),
    ("lint-imports",),
)


def build_assets(*, for_tests: bool = False) -> None:
    """The asset step, with what only tests need where that is wanted. Raises StepFailed."""
    with step("style sheets and scripts") as current:
        if not assets.build(bootstrap.REPOSITORY, bootstrap.sandbox_directory(), for_tests=for_tests):
            current.hide()


def test(arguments: list[str]) -> int:
    """Build what the tests need, then become pytest."""
    build_assets(for_tests=True)
    os.environ["APP_ENV"] = "test"
    words = bootstrap.python("-m", "pytest", "-n", "2", "--dist", "loadgroup", *arguments)
    sys.stdout.flush()
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted


def lint() -> int:
    """Run every linter, also after one has found something; 1 if any did."""
    failed = False
    for command in LINTERS:
        print(f"$ {' '.join(command)}", flush=True)
        program = bootstrap.ENVIRONMENT / "bin" / command[0]
        failed |= subprocess.run([program, *command[1:]], check=False).returncode != 0
    return int(failed)


def main(arguments: list[str]) -> int:
    """Run one command; the exit status."""
    command, *rest = arguments
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        if command == "run":
            build_assets()
            return run(bootstrap.REPOSITORY, bootstrap.sandbox_directory())
        if command == "test":
            return test(rest)
        if command == "lint":
            return lint()
        build_assets(for_tests=True)
    except StepFailed as failure:
        steps.report(failure)
        return 1
    except SandboxError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(sys.argv[1:]))
