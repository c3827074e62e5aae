"""A real SMTP server that takes mail, or refuses it as a test wants."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from flask import Flask

from soulseer import gateways
from soulseer.gateways.mail import MailGateway
from soulseer.sandbox.places import free_port

SENDER = "SoulSeer <hello@soulseer.test>"


@dataclass
class Post:
    """What came in; ``answers`` are given first, one for each message, before the server says yes."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    recipients: dict[str, str] = field(default_factory=dict)
    messages: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.recipients:
            return self.recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 taken"
        if answer.startswith("250"):
            self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return answer


@pytest.fixture
def post() -> Iterator[Post]:
    """A mail server on a free port, and the product's gateway set to it."""
    handler = Post(port=free_port())
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


@pytest.fixture
def mail_server(app: Flask, post: Post) -> Iterator[Post]:
    before = gateways.current()
    gateways.configure(replace(before, mail=MailGateway(f"smtp://127.0.0.1:{post.port}", SENDER)))
    yield post
    gateways.configure(before)
