"""The whole of ``make run`` from a clean clone: up, stopped, up again with its data, killed without leftovers."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from soulseer.sandbox import places
from tests.launcher.conftest import REPOSITORY, marked, wait_for

FIRST_SECONDS = 90.0
SECOND_SECONDS = 8.0


class Run:
    """One ``make run`` in ``clone``."""

    def __init__(self, clone: Path, environment: dict[str, str], port: int) -> None:
        self.clone = clone
        self.address = f"http://127.0.0.1:{port}"
        self.log = clone / "run.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=clone,
                env={**environment, "PORT": str(port)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def seconds_until_up(self, limit: float) -> float:
        begin = time.monotonic()
        wait_for(
            lambda: "Ctrl-C stops it" in self.log.read_text() or self.process.poll() is not None, limit * 2
        )
        assert self.process.poll() is None, self.log.read_text()
        with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
            assert answer.status == 200
        return time.monotonic() - begin

    @property
    def launcher(self) -> int:
        return int(json.loads((self.clone / "var" / "launcher.lock").read_text())["pid"])


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_clean_clone_comes_up_stops_comes_up_again_and_leaves_nothing(
    clean_environment: dict[str, str], tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    environment = {
        name: value for name, value in clean_environment.items() if name not in ("SANDBOX_DIR", "PYTHONPATH")
    }
    port = places.free_port()
    try:
        first = Run(clone, environment, port)
        assert first.seconds_until_up(FIRST_SECONDS) <= FIRST_SECONDS
        assert len(re.findall(r"\w+@demo\.test", first.log.read_text())) >= 9
        flask = [clone / ".venv" / "bin" / "flask", "demo", "env"]
        addresses = subprocess.check_output(flask, cwd=clone, env=environment, text=True)
        assert f"APP_BASE_URL={first.address}\n" in addresses
        os.killpg(first.process.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
        assert first.process.wait(30) in (0, 2, -signal.SIGINT)
        wait_for(lambda: not marked(tmp_path), 10)

        second = Run(clone, environment, port)
        assert second.seconds_until_up(SECOND_SECONDS) <= SECOND_SECONDS
        assert subprocess.check_output(flask, cwd=clone, env=environment, text=True) == addresses
        signal_to = second.launcher
        subprocess.run(["kill", "-9", str(signal_to)], check=True)
        wait_for(lambda: not marked(tmp_path), 10)
        second.process.wait(10)

        third = Run(clone, environment, port)
        third.seconds_until_up(SECOND_SECONDS)
        third.process.kill()
        wait_for(lambda: not marked(tmp_path), 15)
        third.process.wait(10)
    finally:
        for left in marked(tmp_path):
            left.kill()
        if (clone / "var" / "postgres").exists():
            places.remove_data(clone / "var" / "postgres")
