"""What ``dev.py`` says before the long steps, and what it does not do twice."""

import ast
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from soulseer.sandbox import assets, bootstrap, checks, environment, stamps
from soulseer.sandbox.steps import StepFailed, run_logged
from tests.launcher.conftest import REPOSITORY


def dev(values: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "dev.py", *words],
        cwd=REPOSITORY,
        env=values,
        capture_output=True,
        text=True,
        check=False,
    )


def test_dev_is_readable_to_old_pythons_so_that_they_can_say_what_is_wrong() -> None:
    ast.parse((REPOSITORY / "dev.py").read_text(), feature_version=(3, 4))
    lines = (REPOSITORY / "dev.py").read_text().split("bootstrap import")[0]
    assert 'f"' not in lines


def test_a_taken_port_is_named_before_the_long_steps(clean_environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = dev({**clean_environment, "PORT": str(port)}, "run")
    assert answer.returncode == 1
    assert f"port {port} is taken" in answer.stderr
    assert f"PORT={port + 1} make run" in answer.stderr
    assert "✓" not in answer.stdout


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8000x", "８０００", "1e3"])
def test_a_port_that_is_none_is_refused(clean_environment: dict[str, str], port: str) -> None:
    answer = dev({**clean_environment, "PORT": port}, "run")
    assert answer.returncode == 1
    assert "must be a number from 1 to 65535" in answer.stderr


def test_a_second_launcher_is_told_of_the_first(clean_environment: dict[str, str], tmp_path: Path) -> None:
    first = checks.LauncherLock(tmp_path / "var")
    first.take(address="http://127.0.0.1:8123")
    answer = dev(clean_environment, "run")
    first.release()
    assert answer.returncode == 1
    assert f"runs from here already (process {os.getpid()}, http://127.0.0.1:8123)" in answer.stderr


def test_production_is_refused(clean_environment: dict[str, str]) -> None:
    answer = dev({**clean_environment, "APP_ENV": "production"}, "run")
    assert answer.returncode == 1
    assert "APP_ENV is production" in answer.stderr


def test_an_unknown_command_prints_the_usage(clean_environment: dict[str, str]) -> None:
    answer = dev(clean_environment, "rnu")
    assert answer.returncode == 2
    assert "usage: python3 dev.py run | test" in answer.stderr


@pytest.mark.parametrize(
    ("system", "machine", "library", "words"),
    [
        ("Windows", "AMD64", ("", ""), "WSL 2"),
        ("Linux", "riscv64", ("glibc", "2.36"), "your own PostgreSQL 18"),
        ("Linux", "x86_64", ("", ""), "not Alpine"),
        ("Linux", "aarch64", ("glibc", "2.17"), "newer distribution"),
    ],
)
def test_an_unsupported_platform_is_named(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, library: tuple[str, str], words: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: library)
    with pytest.raises(StepFailed) as caught:
        checks.platform_words()
    assert words in caught.value.hint


def test_a_full_disk_and_a_missing_venv_module_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match="GB are needed"):
        checks.check_disk(tmp_path, 10**18)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StepFailed) as caught:
        checks.check_venv()
    assert "-venv" in caught.value.hint


def test_a_failed_step_keeps_its_log_and_its_hint(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="ended with status 3") as caught:
        run_logged(
            [sys.executable, "-c", "print('why'); raise SystemExit(3)"], tmp_path / "x.log", hint="do this"
        )
    assert caught.value.hint == "do this"
    assert (tmp_path / "x.log").read_text() == "why\n"


def test_a_stamp_holds_until_a_file_or_a_fact_changes(tmp_path: Path) -> None:
    source, stamp = tmp_path / "source", tmp_path / "made" / "stamp"
    source.write_text("one")
    assert not stamps.is_current(stamp, stamps.fingerprint([source], "fact"))
    stamps.write(stamp, stamps.fingerprint([source], "fact"))
    assert stamps.is_current(stamp, stamps.fingerprint([source, source, tmp_path / "missing"], "fact"))
    assert not stamps.is_current(stamp, stamps.fingerprint([source], "other fact"))
    source.write_text("two")
    assert not stamps.is_current(stamp, stamps.fingerprint([source], "fact"))


def test_the_development_lock_counts_for_the_smaller_one_only_with_the_same_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = tmp_path / "requirements.lock", tmp_path / "requirements-dev.lock"
    monkeypatch.setattr(bootstrap, "ENVIRONMENT", tmp_path / "venv")
    monkeypatch.setattr(bootstrap, "RUN_LOCK", small)
    monkeypatch.setattr(bootstrap, "DEVELOPMENT_LOCK", large)
    small.write_text("# made\na==1 \\\n    --hash=sha256:0\n")
    large.write_text("a==1 \\\n    --hash=sha256:0\nb==2 \\\n    --hash=sha256:0\n")
    bootstrap.note_installed(large)
    assert bootstrap.is_installed(small)
    assert bootstrap.is_installed(large)
    large.write_text("a==2 \\\n    --hash=sha256:0\n")
    bootstrap.note_installed(large)
    assert bootstrap.is_installed(large)
    bootstrap.note_installed(small)
    assert not bootstrap.is_installed(large)


def test_the_lock_files_name_no_index_and_the_larger_holds_the_smaller() -> None:
    assert stamps.pins(bootstrap.RUN_LOCK) <= stamps.pins(bootstrap.DEVELOPMENT_LOCK)
    for file in (bootstrap.RUN_LOCK, bootstrap.DEVELOPMENT_LOCK, REPOSITORY / "package-lock.json"):
        assert "index-url" not in file.read_text()
        assert '"resolved"' not in file.read_text()


def test_assets_are_built_again_only_when_a_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(
        assets, "run_logged", lambda command, *_, **__: ran.append([str(w) for w in command[2:]])
    )
    (tmp_path / "assets").mkdir()
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "assets" / "app.css").write_text("a{}")
    assert assets.build(tmp_path, tmp_path / "var")
    assert [words[0] for words in ran] == ["ci", "run"]
    assert not assets.build(tmp_path, tmp_path / "var")
    (tmp_path / "assets" / "app.css").write_text("b{}")
    assert assets.build(tmp_path, tmp_path / "var")
    assert [words[0] for words in ran] == ["ci", "run", "run"]


def test_what_only_tests_need_is_installed_for_tests_and_then_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(
        assets, "run_logged", lambda command, *_, **__: ran.append([str(w) for w in command[2:]])
    )
    (tmp_path / "package.json").write_text("{}")
    assert assets.build(tmp_path, tmp_path / "var")
    assert "--omit=dev" in ran[0]
    assert assets.build(tmp_path, tmp_path / "var", for_tests=True)
    assert [words[0] for words in ran] == ["ci", "run", "ci"]
    assert "--omit=dev" not in ran[2]
    assert not assets.build(tmp_path, tmp_path / "var", for_tests=True)
    (tmp_path / "soulseer/static/build/.stamp").unlink()
    assert assets.build(tmp_path, tmp_path / "var")
    assert [words[0] for words in ran] == ["ci", "run", "ci", "run"]


def test_sandbox_facts_are_made_once_and_kept_private(tmp_path: Path) -> None:
    facts = environment.kept_facts(tmp_path)
    assert environment.kept_facts(tmp_path) == facts
    assert len(facts["SECRET_KEY"]) >= 64
    assert facts["oidc_port"] != facts["stripe_port"]
    values = environment.compose(facts, {}, tmp_path, 8123)
    assert values["APP_BASE_URL"] == "http://127.0.0.1:8123"
    assert values["STRIPE_SECRET_KEY"].startswith("sk_test_")
    assert int(values["AGORA_APP_ID"], 16) >= 0
    assert len(values["AGORA_SECURITY_CERTIFICATE"]) == 32
    file = environment.write(tmp_path, values)
    assert (
        stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((tmp_path / "sandbox.json").stat().st_mode) == 0o600
    )
    assert dict(line.split("=", 1) for line in file.read_text().splitlines()) == values


def test_a_vendor_given_from_outside_is_taken_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.KEYS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text(
        "# mine\nSTRIPE_SECRET_KEY='sk_test_mine'\nREDIS_URL=redis://file/0\nAGORA_APP_ID=\n"
    )
    monkeypatch.setenv("REDIS_URL", "redis://environment/0")
    outside = environment.given(tmp_path)
    assert outside == {"STRIPE_SECRET_KEY": "sk_test_mine", "REDIS_URL": "redis://environment/0"}
    values = environment.compose(environment.kept_facts(tmp_path), outside, tmp_path, 8000)
    assert values["STRIPE_SECRET_KEY"] == "sk_test_mine"
    assert "STRIPE_API_BASE" not in values
    assert "STRIPE_WEBHOOK_SIGNING_SECRET" not in values
    assert values["REDIS_URL"] == "redis://environment/0"
    assert "OIDC_ISSUER" in values
    assert not environment.uses_stand_in("stripe", outside)


def test_every_setting_is_explained_in_the_example() -> None:
    from config.settings import Settings

    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    named = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    missing = {field.upper() for field in Settings.model_fields} - named
    assert not missing
