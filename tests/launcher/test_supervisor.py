"""The supervisor restarts what dies, stops in order, and leaves nothing behind however it goes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.launcher.conftest import marked, running, wait_for

Launch = Callable[[str], subprocess.Popen[str]]

LAUNCHER = """
import sys
from pathlib import Path
from soulseer.sandbox import processes, supervisor
from soulseer.sandbox.supervisor import Part, Supervisor

def part(name, code, **more):
    def start(output):
        return processes.start([sys.executable, "-uc", code], output=output, record=Path(name + ".process"))
    return Part(name, start, **more)

keeper = Supervisor(Path("log"))
keeper.catch_signals()
{setup}
print("launched", flush=True)
keeper.run()
keeper.stop()
print("all stopped", flush=True)
"""
SLEEPER = "import time; time.sleep(600)"
SAYS_STOPPED = """
import signal, sys, time
def stop(*_): print("bye"); sys.exit()
signal.signal(signal.SIGTERM, stop); print("ready"); time.sleep(600)
"""
# Ignores every polite signal and has a child in a session of its own that does, too.
STUBBORN = """
import os, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready"); time.sleep(600)
"""


def script(*parts: tuple[str, str], before: str = "") -> str:
    setup = before + "".join(
        f"\nkeeper.start(part({name!r}, {code!r}, stop_timeout=1.0))" for name, code in parts
    )
    return LAUNCHER.format(setup=setup)


def read_until(process: subprocess.Popen[str], *words: str) -> str:
    """The output up to the line that completes ``words``."""
    assert process.stdout is not None
    text = ""
    while not all(word in text for word in words):
        line = process.stdout.readline()
        assert line, f"ended without {words}: {text}"
        text += line
    return text


def test_a_part_that_dies_is_started_again_with_a_word_and_a_growing_capped_back_off(launch: Launch) -> None:
    quick = "supervisor.FIRST_BACK_OFF, supervisor.LONGEST_BACK_OFF = 0.01, 0.04"
    process = launch(script(("fails", "raise SystemExit(3)"), ("stays", SLEEPER), before=quick))
    waits: list[str] = []
    text = ""
    assert process.stdout is not None
    while len(waits) < 5:
        text += process.stdout.readline()
        waits = re.findall(r"fails +\| ended after 0 s \(exit status 3\); starting again in (\S+) s", text)
    assert waits == ["0.01", "0.02", "0.04", "0.04", "0.04"]
    assert "fails      | started again" in text
    assert "stays" not in text


def test_the_back_off_starts_anew_after_a_steady_life(launch: Launch) -> None:
    quick = "supervisor.FIRST_BACK_OFF, supervisor.STEADY_AFTER = 0.01, 0.3"
    process = launch(script(("lives", "import time; time.sleep(0.4)"), before=quick))
    text = ""
    assert process.stdout is not None
    while text.count("starting again in") < 3:
        text += process.stdout.readline()
    assert re.findall(r"starting again in (\S+) s", text) == ["0.01", "0.01", "0.01"]


def test_a_killed_part_comes_back_and_what_it_had_started_is_gone(launch: Launch, tmp_path: Path) -> None:
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid); time.sleep(600)"
    )
    process = launch(script(("parent", parent)))
    child = int(re.findall(r"child (\d+)", read_until(process, "child ", "\n"))[0])
    (leader,) = [p for p in running(tmp_path, "import subprocess") if p.ppid() == process.pid]
    leader.kill()
    text = read_until(process, "signal SIGKILL", "started again", "child ")
    assert str(child) not in re.findall(r"child (\d+)", text)
    wait_for(lambda: child not in [p.pid for p in marked(tmp_path)])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_parts_last_started_first(launch: Launch, tmp_path: Path, number: int) -> None:
    process = launch(script(("one", SAYS_STOPPED), ("two", SAYS_STOPPED), ("three", SAYS_STOPPED)))
    read_until(process, "one        | ready", "two        | ready", "three      | ready")
    process.send_signal(number)
    rest, _ = process.communicate(timeout=10)
    assert re.findall(r"(\w+) +\| bye", rest) == ["three", "two", "one"]
    assert rest.endswith("all stopped\n")
    assert process.returncode == 0
    wait_for(lambda: not marked(tmp_path), 2)
    assert not list(tmp_path.glob("*.process"))


def test_a_part_that_ignores_the_signal_is_killed_when_its_time_is_over(
    launch: Launch, tmp_path: Path
) -> None:
    process = launch(script(("stubborn", STUBBORN)))
    read_until(process, "ready")
    begin = time.monotonic()
    process.terminate()
    process.communicate(timeout=10)
    assert 0.9 < time.monotonic() - begin < 4
    wait_for(lambda: not marked(tmp_path), 2)


def test_nothing_remains_after_the_launcher_is_killed(launch: Launch, tmp_path: Path) -> None:
    process = launch(script(("polite", SAYS_STOPPED), ("stubborn", STUBBORN)))
    read_until(process, "polite     | ready", "stubborn   | ready")
    assert len(marked(tmp_path)) == 6  # launcher, guard, polite, stubborn with its two children
    process.kill()
    wait_for(lambda: not marked(tmp_path), 8)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_parts_end_even_if_launcher_and_guard_are_killed_together(launch: Launch, tmp_path: Path) -> None:
    process = launch(script(("polite", SAYS_STOPPED), ("sleeper", SLEEPER)))
    read_until(process, "ready", "launched")
    (guard,) = running(tmp_path, "guard.py")
    guard.suspend()
    process.kill()
    guard.kill()
    wait_for(lambda: not marked(tmp_path), 3)


def test_a_killed_guard_is_replaced(launch: Launch, tmp_path: Path) -> None:
    def guards() -> list[int]:
        return [process.pid for process in running(tmp_path, "guard.py")]

    process = launch(script(("stubborn", STUBBORN)))
    read_until(process, "ready", "launched")
    (first,) = guards()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: guards() and guards() != [first], 3)
    process.kill()
    wait_for(lambda: not marked(tmp_path), 8)


def test_the_launcher_stops_when_the_process_it_belongs_to_is_killed(launch: Launch, tmp_path: Path) -> None:
    inner = script(("polite", SAYS_STOPPED)).replace('Path("log")', "Path('log'), owner=os.getppid()")
    outer = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {'import os' + inner!r}])"
    process = launch(outer)
    read_until(process, "ready", "launched")
    process.kill()
    wait_for(lambda: not marked(tmp_path), 5)


def test_leftovers_are_ended_only_if_they_are_provably_ours(tmp_path: Path) -> None:
    from soulseer.sandbox import processes

    ours = processes.start([sys.executable, "-c", SLEEPER], record=tmp_path / "ours.process")
    time.sleep(0.05)  # the kernel tells processes apart by start times of 10 ms
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPER])
    try:
        record = (tmp_path / "ours.process").read_text()
        (tmp_path / "reused.process").write_text(record.replace(str(ours.pid), str(stranger.pid), 1))
        (tmp_path / "torn.process").write_text('{"pid": 1')
        assert processes.stop_leftovers(tmp_path) == ["ours"]
        assert ours.popen.wait(5) == -signal.SIGTERM
        assert stranger.poll() is None
        assert not list(tmp_path.iterdir())
    finally:
        ours.kill()
        stranger.kill()
        stranger.wait()
