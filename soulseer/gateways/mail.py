"""Mail by SMTP. The only module that knows how a message is put on the wire."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

from soulseer.domain.errors import VendorError

TIMEOUT_SECONDS = 15
PORTS = {"smtp": 25, "smtps": 465}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class MailUnavailable(VendorError):
    """The mail server did not take the message now; it may be offered again."""

    code, title = "mail_unavailable", "The mail server did not take the message"


class MailRefused(VendorError):
    """The mail server refused this message or its address for good."""

    code, title = "mail_refused", "The mail server refused the message"


@dataclass(frozen=True)
class Letter:
    """One message to one address. ``name`` is the unique part of its Message-ID: the same at every attempt, so that a
    message that was sent twice is recognised as one."""

    name: str
    to: str
    subject: str
    text: str
    html: str
    written_at: datetime


class MailGateway:
    """Sends through ``url`` (``smtp://`` with STARTTLS where offered, ``smtps://``; user and password in it) as
    ``sender`` (``SoulSeer <hello@soulseer.example>``)."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self.configured = bool(url)
        self.sender = sender
        self.scheme, self.host = parts.scheme, parts.hostname or ""
        self.port = parts.port or PORTS.get(parts.scheme, 25)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")

    def send(self, letter: Letter) -> None:
        """Hand the message to the mail server. Raises MailUnavailable (offer it again) or MailRefused."""
        message = self._message(letter)
        with self._connected() as server:
            server.send_message(message, to_addrs=[letter.to])

    def check(self) -> str:
        """Connect, secure, sign in, and say who answers. Raises MailUnavailable, MailRefused."""
        with self._connected() as server:
            server.noop()
            secured = "TLS" if isinstance(server.sock, ssl.SSLSocket) else "no TLS"
        return f"{self.host}:{self.port} takes mail ({secured})"

    def _message(self, letter: Letter) -> EmailMessage:
        display, address = parseaddr(self.sender)
        message = EmailMessage(policy=SMTP)
        try:
            message["From"] = Address(display, addr_spec=address)
            message["To"] = Address(addr_spec=letter.to)
            # One line, whatever a name in it brought along.
            message["Subject"] = " ".join(letter.subject.split())
        except (ValueError, IndexError) as error:
            raise MailRefused(f"not an address: {error}") from error
        message["Date"] = format_datetime(letter.written_at)
        message["Message-ID"] = f"<{letter.name}@{address.rpartition('@')[2]}>"
        # Nobody's absence notice need answer it (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        if not self.configured:
            raise MailUnavailable("MAIL_URL is not set")
        try:
            server = self._connect()
            try:
                self._secure(server)
                yield server
            finally:
                _leave(server)
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused(f"the server cannot: {error}") from error
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise _refused(code, words) from error
        except smtplib.SMTPAuthenticationError as error:
            # Our password is wrong, which says nothing about this message.
            raise MailUnavailable(f"{error.smtp_code}: sign-in refused") from error
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnavailable(f"{type(error).__name__}: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        name = socket.gethostname()
        if self.scheme == "smtps":
            return smtplib.SMTP_SSL(
                self.host, self.port, name, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        return smtplib.SMTP(self.host, self.port, name, timeout=TIMEOUT_SECONDS)

    def _secure(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        if not self._user:
            return
        if not isinstance(server.sock, ssl.SSLSocket) and self.host not in _LOOPBACK:
            raise MailUnavailable("the server offers no TLS, and a password is not sent in the clear")
        server.login(self._user, self._password)


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye. What the server answers to it changes nothing: it has taken the message by then."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _refused(code: int, words: bytes | str) -> VendorError:
    """4xx is for now, 5xx for good (RFC 5321, 4.2.1); but 530 and 535 speak of us, not of the message."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    detail = f"{code}: {text}"[:500]
    return MailRefused(detail) if 500 <= code < 600 and code not in (530, 535) else MailUnavailable(detail)
