"""The messages, one file each, and what takes them in by SMTP."""

import email
import email.policy
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

MOST_KEPT = 1000
LARGEST_BYTES = 2_000_000


@dataclass(frozen=True)
class Mail:
    """A message as it came in; ``number`` counts from 1."""

    number: int
    received_at: datetime
    to: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message.get("Subject", "")) or "(no subject)"

    @property
    def sender(self) -> str:
        return str(self.message.get("From", ""))

    @property
    def message_id(self) -> str:
        return str(self.message.get("Message-ID", ""))

    def body(self, kind: str) -> str | None:
        """The part that is ``plain`` or ``html``; None where there is none."""
        part = self.message.get_body((kind,))
        return None if part is None else str(part.get_content()).replace("\r\n", "\n")


class Mailbox:
    """A folder of messages, ``00000001.eml`` and so on; the oldest are dropped beyond MOST_KEPT."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._guard = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, content: bytes, recipients: list[str]) -> int:
        """Store a message for ``recipients``; its number."""
        # First and unfolded, so that it is not the message's own word on who got it.
        head = f"X-Sandbox-To: {', '.join(re.sub(r'[^!-~]', '?', address) for address in recipients)}\r\n".encode()
        with self._guard:
            numbers = self.numbers()
            number = (numbers[-1] if numbers else 0) + 1
            new = self.directory / f".{number:08}.new"
            new.write_bytes(head + content)
            new.replace(self._file(number))
            for old in numbers[: max(0, len(numbers) + 1 - MOST_KEPT)]:
                self._file(old).unlink(missing_ok=True)
        return number

    def numbers(self) -> list[int]:
        """Of all messages, oldest first."""
        return sorted(int(file.stem) for file in self.directory.glob("[0-9]*.eml"))

    def read(self, number: int) -> Mail | None:
        """The message with this number, if it is still there."""
        file = self._file(number)
        try:
            content, at = file.read_bytes(), datetime.fromtimestamp(file.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        message: Any = email.message_from_bytes(content, policy=email.policy.default)
        to = str(message["X-Sandbox-To"])
        del message["X-Sandbox-To"]
        return Mail(number, at, to, message)

    def newest(self, limit: int, to: str = "") -> list[Mail]:
        """The newest messages, newest first; only those to ``to`` where it is given."""
        found: list[Mail] = []
        for number in reversed(self.numbers()):
            mail = self.read(number)
            if mail is not None and (not to or to.lower() in mail.to.lower().split(", ")):
                found.append(mail)
            if len(found) == limit:
                break
        return found

    def clear(self) -> None:
        with self._guard:
            for number in self.numbers():
                self._file(number).unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        return self.directory / f"{number:08}.eml"


class Taker:
    """aiosmtpd's handler: takes every message there is."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if len(envelope.content) > LARGEST_BYTES:
            return "552 the message is too large"
        self._box.keep(envelope.content, envelope.rcpt_tos)
        return "250 taken"
