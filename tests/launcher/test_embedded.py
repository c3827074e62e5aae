"""The embedded servers start, stop, restart and keep their data: as root, and as an ordinary user."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from soulseer.sandbox import places
from soulseer.sandbox.embedded import EmbeddedPostgres, EmbeddedValkey, SandboxError
from tests.launcher.conftest import REPOSITORY


def one(url: str, *statements: str) -> object:
    """Run the statements; the first column of the last one's row, if it has any."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
        row = cursor.fetchone() if cursor.description else None
    return row and row[0]


def test_postgres_keeps_data_port_and_passwords_over_a_restart(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path / "postgres", durable=False).start()
    try:
        first.create_database("soulseer")
        one(first.url(), "CREATE EXTENSION citext", "CREATE TABLE kept AS SELECT 42 AS answer")
        first.stop()
        first.stop()
        second = EmbeddedPostgres(tmp_path / "postgres", durable=False).start()
        assert second.url() == first.url()
        assert one(second.url(), "SELECT answer FROM kept") == 42
        assert second.has_database("soulseer")
        second.create_database("copy", template="soulseer")
        assert one(second.url("copy"), "SELECT answer FROM kept") == 42
        data = second.data
        second.remove()
        assert not data.exists()
        assert not (tmp_path / "postgres").exists()
    finally:
        first.stop()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A durable server, whose data are removed all the same."""
    server = EmbeddedPostgres(tmp_path / "postgres", durable=True)
    yield server.start()
    server.remove()


def test_postgres_has_roles_with_passwords_and_sensible_settings(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("soulseer")
    assert one(postgres.url(), "SELECT current_user") == "soulseer"
    assert one(postgres.url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert one(postgres.superuser_url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
    assert one(postgres.reporting_url(), "SELECT current_user") == "soulseer_reporting"
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        one(postgres.reporting_url(), "CREATE TABLE x AS SELECT 1")
    for setting, value in {
        "fsync": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "max_connections": "200",
        "listen_addresses": "127.0.0.1",
        "server_version_num": "18%",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
    }.items():
        assert one(postgres.superuser_url(), f"SELECT current_setting('{setting}') LIKE '{value}'") is True, (
            setting
        )
    password = urlsplit(postgres.url()).password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url().replace(str(password), "wrong"))
    assert stat.S_IMODE((postgres.directory / "passwords.json").stat().st_mode) == 0o600


def test_a_taken_port_is_exchanged_for_another(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        noted = valkey.port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", noted))
        taken.listen()
        with EmbeddedValkey(tmp_path) as valkey:
            assert valkey.port != noted
            assert redis.from_url(valkey.url()).ping()
            again = valkey.port
    with EmbeddedValkey(tmp_path) as valkey:
        assert valkey.port == again


def test_servers_left_by_a_crash_are_taken_over(tmp_path: Path) -> None:
    left = EmbeddedPostgres(tmp_path / "postgres", durable=False).start()
    try:
        orphan = left.process
        with EmbeddedPostgres(tmp_path / "postgres", durable=False) as postgres:
            assert orphan.poll() is not None
            assert one(postgres.superuser_url(), "SELECT 1") == 1
    finally:
        left.stop()


def test_a_killed_server_recovers_with_its_data_on_the_same_port(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("soulseer")
    one(postgres.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
    port = postgres.port
    os.kill(postgres.process.pid, signal.SIGKILL)  # its backends live on for a moment
    postgres.process.popen.wait()
    postgres.start()
    assert postgres.port == port
    assert one(postgres.url(), "SELECT answer FROM kept") == 42


def test_a_pid_file_whose_id_is_somebody_elses_does_not_stop_the_start(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "postgres", durable=False) as postgres:
        postgres.stop()
        stranger = subprocess.Popen(
            ["sleep", "60"],
            **({"user": 65534} if os.geteuid() == 0 else {}),
        )
        try:
            (postgres.data / "postmaster.pid").write_text(
                f"{stranger.pid}\n{postgres.data}\n1\n5432\n\n\n\nready\n"
            )
            postgres.start()
            assert stranger.poll() is None
            assert one(postgres.superuser_url(), "SELECT 1") == 1
        finally:
            stranger.kill()
            stranger.wait()


def test_a_broken_off_initdb_is_begun_again(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    server.directory.mkdir()
    data = places.data_folder(server.directory, places.server_account(), lasting=False)
    (data / "base").mkdir()
    (data / "postgresql.conf").write_text("half")
    with server:
        assert one(server.superuser_url(), "SELECT 1") == 1


def test_a_server_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = EmbeddedPostgres(tmp_path / "postgres", port=taken.getsockname()[1], durable=False)
        with pytest.raises(SandboxError, match=r"ended while starting: see .*server\.log"):
            server.start()
    assert "could not bind" in server.log.read_text()
    server.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up its rights")
def test_data_below_a_closed_folder_go_elsewhere_and_the_place_is_noted(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "postgres", durable=False) as postgres:
        outside = Path((closed / "postgres" / "location").read_text().strip())
        assert postgres.data == outside / "data"
        assert postgres.data.stat().st_uid == places.NOBODY.uid
        assert one(postgres.superuser_url(), "SELECT 1") == 1
    assert not outside.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up its rights")
def test_a_program_below_a_closed_folder_is_copied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = tmp_path / "common"
    package = tmp_path / "closed" / "package"
    (package / "bin").mkdir(parents=True)
    common.mkdir()
    (tmp_path / "closed").chmod(0o700)
    (package / "bin" / "program").write_text("#!/bin/sh\n")
    monkeypatch.setattr(places, "common_folder", lambda: common)
    first = places.readable_program(package / "bin" / "program", [package], "1.0", places.NOBODY)
    assert first.read_text() == "#!/bin/sh\n"
    assert places.readable_program(package / "bin" / "program", [package], "1.0", places.NOBODY) == first
    assert len(list(common.iterdir())) == 1
    first.parents[2].joinpath("package").parent.chmod(0o777)
    with pytest.raises(SandboxError, match="is not ours"):
        places.readable_program(package / "bin" / "program", [package], "1.0", places.NOBODY)


ORDINARY = """
import os, sys
from pathlib import Path
from soulseer.sandbox.embedded import EmbeddedPostgres, EmbeddedValkey
import psycopg
assert os.geteuid() != 0
here = Path(sys.argv[1])
for _ in range(2):
    with EmbeddedPostgres(here / "postgres", durable=True) as postgres, EmbeddedValkey(here / "valkey") as valkey:
        if not postgres.has_database("soulseer"):
            postgres.create_database("soulseer")
        with psycopg.connect(postgres.url()) as connection:
            print(connection.execute("SELECT current_user").fetchone()[0], postgres.data.stat().st_uid == os.geteuid())
        assert valkey.process.poll() is None
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests ran as an ordinary user already")
def test_the_servers_run_as_an_ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    python = _python_for_everybody()
    packages = Path(psycopg.__file__).parents[1]
    if (
        python is None
        or not places.may_pass(packages, places.NOBODY)
        or not places.may_pass(REPOSITORY, places.NOBODY)
    ):
        pytest.skip("no Python, or no environment, that another user may read")
    home = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    os.chown(home, 65534, 65534)
    try:
        output = subprocess.run(
            [python, "-B", "-c", ORDINARY, str(home)],
            env={"PYTHONPATH": f"{REPOSITORY}:{packages}", "HOME": str(home), "PATH": os.defpath},
            cwd="/",
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
        assert output.stdout == "soulseer True\nsoulseer True\n", output.stderr
        assert (home / "postgres" / "data" / "PG_VERSION").read_text() == "18\n"
    finally:
        shutil.rmtree(home)


def _python_for_everybody() -> Path | None:
    """A Python of our version that user 65534 may execute."""
    ours = Path(sys.executable).resolve()
    system = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    for candidate in (ours, system):
        if candidate.exists() and places.may_pass(candidate.resolve().parent, places.NOBODY):
            return candidate
    return None
