"""Where embedded servers may live: ports, the account they run as, folders and programs which that account can read."""

import importlib.util
import os
import random
import shutil
import socket
import stat
import tempfile
from pathlib import Path

from soulseer.sandbox.processes import Account

NOBODY = Account(65534, 65534)
PORTS = range(20000, 32000)  # below the ports that Linux and macOS hand out to outgoing connections


class SandboxError(Exception):
    """Something on this machine stands in the sandbox's way; the text says what and what to do."""


def server_account() -> Account | None:
    """PostgreSQL refuses to run as root: the account to use instead, or None to stay who we are."""
    return NOBODY if os.geteuid() == 0 else None


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this TCP port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A random TCP port of PORTS that nobody listens on.

    Raises SandboxError when none is found.
    """
    for port in random.sample(PORTS, 200):
        if port_is_free(port):
            return port
    raise SandboxError("found no free TCP port between 20000 and 31999")


def kept_port(file: Path, wanted: int | None = None) -> int:
    """The port noted in ``file`` if it is still free, else another one, noted there. ``wanted`` overrides."""
    if wanted is not None:
        return wanted
    if file.exists() and port_is_free(noted := int(file.read_text())):
        return noted
    port = free_port()
    file.write_text(f"{port}\n")
    return port


def may_pass(folder: Path, account: Account) -> bool:
    """Whether ``account`` may walk through ``folder`` and all that stands above it."""
    return all(_execute_bit(place.stat(), account) for place in (folder, *folder.parents))


def _execute_bit(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def common_folder() -> Path:
    """A folder that every account can walk through and that survives a restart of the machine."""
    lasting = Path("/var/tmp")  # noqa: S108 - what is made there is made by mkdtemp or checked for its owner
    return lasting if lasting.is_dir() and os.access(lasting, os.W_OK) else Path(tempfile.gettempdir())


def data_folder(directory: Path, account: Account | None, lasting: bool = True) -> Path:
    """The folder for a server's data: ``directory/data``, or one elsewhere, noted in ``directory/location``.

    Elsewhere only when the server's account could not reach it; ``lasting`` data survive a restart of the machine. Raises SandboxError if the data are another user's.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    note = directory / "location"
    if note.exists() and Path(note.read_text().strip()).is_dir():
        folder = Path(note.read_text().strip()) / "data"
    elif account is None or may_pass(directory, account):
        folder = directory / "data"
    else:
        outside = Path(tempfile.mkdtemp(prefix="soulseer-", dir=common_folder() if lasting else None))
        outside.chmod(0o711)
        note.write_text(f"{outside}\n")
        folder = outside / "data"
    owner = account.uid if account else os.geteuid()
    if not folder.exists():
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.uid, account.gid)
    elif folder.stat().st_uid != owner:
        raise SandboxError(
            f"{folder} was made by another user (id {folder.stat().st_uid}): run as that user, or remove {directory}"
        )
    return folder


def remove_data(directory: Path) -> None:
    """Remove a server's folder, and what it has elsewhere."""
    note = directory / "location"
    if note.exists():
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
    shutil.rmtree(directory)


def installed_package(name: str) -> Path:
    """The folder of an installed package, found without importing it (its import may be slow, or do things)."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SandboxError(f"the package {name} is not installed: run `python3 dev.py setup`")
    return Path(spec.origin).parent


def readable_program(program: Path, packages: list[Path], version: str, account: Account | None) -> Path:
    """``program``, or its copy where ``account`` can execute it.

    ``packages`` are the folders beside each other that it needs, its own first; a copy is made once for a version
    and kept under the common folder for all that run here.
    """
    if account is None or may_pass(program.parent, account):
        return program
    copy = common_folder() / f"soulseer-{packages[0].name}-{version}"
    inside = copy / program.relative_to(packages[0].parent)
    if not copy.exists():
        making = Path(tempfile.mkdtemp(prefix="soulseer-copy-", dir=copy.parent))
        making.chmod(0o755)
        for package in packages:
            shutil.copytree(package, making / package.name, symlinks=True)
        try:
            making.rename(copy)
        except OSError:  # another start was quicker
            shutil.rmtree(making)
    owner = copy.lstat()
    if owner.st_uid != os.geteuid() or not stat.S_ISDIR(owner.st_mode) or owner.st_mode & 0o022:
        raise SandboxError(f"{copy} is not ours: remove it")
    return inside
