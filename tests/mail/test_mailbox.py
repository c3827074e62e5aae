"""The sandbox's mailbox as a process of its own: what the product sends is shown, and nothing in it runs."""

import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from soulseer.gateways.mail import Letter, MailGateway
from soulseer.sandbox.mailbox.box import MOST_KEPT, Mailbox
from soulseer.sandbox.places import free_port
from tests.factories import START

EVIL = "<p>hello</p><script>alert(1)</script><img src='http://127.0.0.1:9/seen'>"


@dataclass(frozen=True)
class Running:
    pages: str
    mail_url: str


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    port, smtp = free_port(), free_port()
    running = Running(f"http://127.0.0.1:{port}", f"smtp://127.0.0.1:{smtp}")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "soulseer.sandbox.mailbox",
            "--port",
            str(port),
            "--directory",
            str(tmp_path_factory.mktemp("box")),
        ],
        env={**os.environ, "MAIL_URL": running.mail_url},
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                requests.get(f"{running.pages}/healthz", timeout=2).raise_for_status()
                smtplib.SMTP("127.0.0.1", smtp, timeout=2).quit()
                break
            except OSError:
                time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        assert process.wait(10) == 0


def send(
    mailbox: Running, subject: str = "Hello", to: str = "client@demo.test", html: str = "<p>hello</p>"
) -> None:
    gateway = MailGateway(mailbox.mail_url, "SoulSeer <hello@soulseer.test>")
    gateway.send(Letter("mail.1.2", to, subject, "hello — ✨", html, START))


def newest(mailbox: Running, to: str = "") -> dict:
    found = requests.get(f"{mailbox.pages}/messages.json", params={"to": to}, timeout=5).json()["messages"]
    return found[0]


def test_what_was_sent_is_listed_and_shown(mailbox: Running) -> None:
    send(mailbox, "A <b>bold</b> receipt")
    send(mailbox, "For somebody else", to="other@demo.test")
    mine = newest(mailbox, "Client@demo.test")
    assert (mine["subject"], mine["to"], mine["text"]) == (
        "A <b>bold</b> receipt",
        "client@demo.test",
        "hello — ✨\n",
    )
    assert mine["message_id"] == "<mail.1.2@soulseer.test>"
    page = requests.get(mailbox.pages, timeout=5).text
    assert "A &lt;b&gt;bold&lt;/b&gt; receipt" in page
    assert "For somebody else" in page
    assert (
        "For somebody else"
        not in requests.get(mailbox.pages, params={"to": "client@demo.test"}, timeout=5).text
    )
    one = requests.get(f"{mailbox.pages}/messages/{mine['number']}/", timeout=5).text
    assert "hello — ✨" in one
    raw = requests.get(f"{mailbox.pages}/messages/{mine['number']}/raw", timeout=5)
    assert raw.headers["Content-Type"].startswith("text/plain")
    assert "X-Sandbox-To" not in raw.text


def test_html_is_shown_where_it_can_do_nothing(mailbox: Running) -> None:
    send(mailbox, html=EVIL)
    number = newest(mailbox)["number"]
    page = requests.get(f"{mailbox.pages}/messages/{number}/", timeout=5)
    assert "<script>" not in page.text
    assert 'sandbox="allow-popups"' in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    html = requests.get(f"{mailbox.pages}/messages/{number}/html", timeout=5)
    policy = html.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups; default-src 'none'")
    assert "allow-scripts" not in policy
    assert "img-src data:" in policy


def test_mail_for_several_and_from_any_program_is_taken(mailbox: Running) -> None:
    message = EmailMessage()
    message["Subject"], message["X-Sandbox-To"] = "By hand", "liar@demo.test"
    message.set_content("hello")
    with smtplib.SMTP("127.0.0.1", int(mailbox.mail_url.rsplit(":", 1)[1]), timeout=5) as server:
        server.send_message(message, "a@demo.test", ["b@demo.test", "c@demo.test"])
    assert newest(mailbox, "c@demo.test")["to"] == "b@demo.test, c@demo.test"
    assert newest(mailbox)["html"] is None


def test_it_says_who_it_is_to_doctor(mailbox: Running) -> None:
    assert (
        MailGateway(mailbox.mail_url, "SoulSeer <hello@soulseer.test>")
        .check()
        .endswith("takes mail (no TLS)")
    )


def test_a_message_that_is_not_there(mailbox: Running) -> None:
    assert requests.get(f"{mailbox.pages}/messages/99999/", timeout=5).status_code == 404


def test_the_oldest_are_dropped_and_numbers_go_on(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    for number in range(MOST_KEPT + 5):
        (tmp_path / f"{number + 1:08}.eml").write_bytes(b"X-Sandbox-To: a@b.c\r\nSubject: x\r\n\r\nx")
    assert box.keep(b"Subject: last\r\n\r\nx", ["a@b.c"]) == MOST_KEPT + 6
    assert len(box.numbers()) == MOST_KEPT
    assert box.newest(1)[0].subject == "last"
    box.clear()
    assert box.numbers() == []
