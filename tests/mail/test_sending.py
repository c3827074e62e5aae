"""Mail from the row to the mail server, with the server refusing, away, and the sender dying in the middle."""

from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask import Flask
from sqlalchemy import select, text

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain.errors import Conflict, NotFound
from soulseer.gateways.mail import MailGateway
from soulseer.jobs import send_mail, sweeping, worker
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.models.operations import JobRun
from soulseer.models.people import Person
from soulseer.services import mail
from tests import factories
from tests.factories import START
from tests.mail.conftest import SENDER, Post
from tests.money_in.conftest import in_threads

RECEIPT = {
    "number": "7",
    "amount": "25.00",
    "currency": "USD",
    "paid_at": "2026-11-20T12:00:00+00:00",
    "card": "",
}


def queued(
    person_id: int, key: str = "top_up_receipt:7", template: str = "top_up_receipt", **values: str
) -> int:
    with transaction():
        made = mail.queue(person_id, template, {**RECEIPT, **values}, START, key=key)
    assert made is not None
    return made


def run(later: timedelta = timedelta(0), **arguments: str) -> dict:
    return send_mail.run(JobContext(now=START + later, arguments=arguments))


def row(message_id: int) -> MailMessage:
    with transaction():
        return db.session.get_one(MailMessage, message_id)


def change(person_id: int, **values: object) -> None:
    with transaction():
        person = db.session.scalars(select(Person).where(Person.id == person_id)).one()
        for name, value in values.items():
            setattr(person, name, value)


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return found.get_content()


def test_the_whole_path(mail_server: Post) -> None:
    person = factories.person(handle="seeker")
    change(person.id, time_zone="Europe/Berlin")
    message_id = queued(person.id, card="Visa ending in 4242")
    assert run() == {"sent": 1}
    assert run(timedelta(days=1)) == {}
    (message,) = mail_server.messages
    assert (message["Subject"], message["To"], message["From"]) == (
        "$25.00 is in your wallet",
        person.email,
        SENDER,
    )
    assert message["Message-ID"] == f"<mail.{message_id}.{int(START.timestamp() * 1_000_000)}@soulseer.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    plain, html = part(message, "plain"), part(message, "html")
    for body in (plain, html):
        assert "Hello seeker" in body
        assert "20 Nov 2026, 13:00 CET" in body
        assert "Card: Visa ending in 4242" in body
    assert 'href="http://127.0.0.1:8000/wallet/"' in html
    assert (row(message_id).state, row(message_id).sent_at, row(message_id).error) == ("sent", START, None)


def test_the_same_news_is_queued_once(mail_server: Post) -> None:
    person = factories.person()
    queued(person.id)
    with transaction():
        assert mail.queue(person.id, "top_up_receipt", RECEIPT, START, key="top_up_receipt:7") is None
    assert run() == {"sent": 1}


def test_it_is_handed_to_a_worker_right_after_the_commit_and_not_if_that_failed(mail_server: Post) -> None:
    person = factories.person()
    queue = gateways.current().queue.queue("payments")

    def queue_and_fail() -> None:
        with transaction():
            mail.queue(person.id, "top_up_receipt", RECEIPT, START, key="other")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        queue_and_fail()
    assert queue.count == 0
    queued(person.id)
    (job,) = queue.jobs
    assert job.kwargs == {"job": "send_mail", "arguments": {"woken": "1"}}


def test_many_messages_are_one_run_and_a_later_one_is_the_next(mail_server: Post) -> None:
    person = factories.person()
    for name in ("a", "b", "c"):
        queued(person.id, name)
    queue = gateways.current().queue.queue("payments")
    assert queue.count == 1
    worker.run(burst=True)
    assert len(mail_server.messages) == 3
    queued(person.id, "d")
    assert queue.count == 1
    worker.run(burst=True)
    assert len(mail_server.messages) == 4


def test_a_run_that_takes_too_long_leaves_the_rest_to_another(
    mail_server: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "LONGEST_SECONDS", -1)
    person = factories.person()
    for name in ("a", "b", "c"):
        queued(person.id, name)
    worker.run(burst=True)
    assert len(mail_server.messages) == 3
    with transaction():
        assert list(db.session.scalars(select(JobRun.counts)))[:3] == [{"sent": 1}] * 3


def test_without_a_mail_server_nobody_is_woken(app: Flask) -> None:
    queued(factories.person().id)
    assert gateways.current().queue.queue("payments").count == 0


def test_nobody_is_written_to_at_an_address_that_is_not_theirs(mail_server: Post) -> None:
    nowhere, unproven = factories.person(), factories.person()
    change(nowhere.id, email=None)
    change(unproven.id, email_verified=False)
    messages = [queued(nowhere.id, "a"), queued(unproven.id, "b")]
    assert run() == {"dropped": 2}
    assert {(row(one).state, row(one).error) for one in messages} == {("dropped", mail.NO_ADDRESS)}
    assert mail_server.messages == []


def test_a_server_that_is_busy_is_asked_again_with_growing_pauses_and_at_last_given_up(
    mail_server: Post,
) -> None:
    message_id = queued(factories.person().id)
    mail_server.answers = ["451 busy"] * 20
    when, pauses = timedelta(0), []
    for _ in range(mail.MOST_ATTEMPTS - 1):
        assert run(when) == {"later": 1}
        pause = row(message_id).next_attempt_at - (START + when)
        assert run(when + pause - timedelta(seconds=1)) == {}
        pauses.append(pause)
        when += pause
    assert pauses[0] == timedelta(seconds=30)
    assert pauses == sorted(pauses)
    assert max(pauses) <= mail.LAST_RETRY
    assert run(when) == {"failed": 1}
    assert row(message_id).state == "failed"
    assert "451" in (row(message_id).error or "")

    mail_server.answers = []
    with transaction():
        mail.replay(message_id, START + when)
    assert run(when) == {"sent": 1}


def test_a_refusal_for_good_is_not_repeated(mail_server: Post) -> None:
    person, other = factories.person(), factories.person()
    mail_server.recipients[person.email or ""] = "550 no such user"
    refused, fine = queued(person.id, "a"), queued(other.id, "b")
    assert run() == {"failed": 1, "sent": 1}
    assert (row(refused).state, row(refused).error) == ("failed", "550: no such user")
    assert row(fine).state == "sent"


def test_no_server_there_is_tried_again(app: Flask, post: Post) -> None:
    from dataclasses import replace

    before = gateways.current()
    gateways.configure(replace(before, mail=MailGateway("smtp://127.0.0.1:9", SENDER)))
    try:
        message_id = queued(factories.person().id)
        assert run() == {"later": 1}
    finally:
        gateways.configure(before)
    assert "ConnectionRefusedError" in (row(message_id).error or "")
    # Nothing is set here: it waits, and is neither lost nor failed.
    assert run(timedelta(hours=1)) == {"off": 1}
    assert row(message_id).state == "queued"


def test_a_sender_killed_after_the_server_took_it_sends_the_same_message_again_and_no_other(
    mail_server: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = queued(factories.person().id)

    def die(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(send_mail.mail, "note_sent", die)
        with pytest.raises(SystemExit):
            run()
    assert run(mail.LEASE - timedelta(seconds=1)) == {}
    assert run(mail.LEASE) == {"sent": 1}
    first, second = mail_server.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert (
        first.as_bytes().split(b"\r\n\r\n")[0].split(b"boundary")[0]
        == second.as_bytes().split(b"\r\n\r\n")[0].split(b"boundary")[0]
    )
    assert row(message_id).state == "sent"


def test_many_senders_send_each_message_once(mail_server: Post, app: Flask) -> None:
    person = factories.person()
    for number in range(20):
        queued(person.id, f"key:{number}")
    counts = in_threads(app, 4, lambda _: run())
    assert sum(count.get("sent", 0) for count in counts) == 20
    assert len({message["Message-ID"] for message in mail_server.messages}) == len(mail_server.messages) == 20


def test_what_somebody_named_is_neither_a_header_nor_html(mail_server: Post) -> None:
    queued(factories.person().id, currency="USD\r\nBcc: all@demo.test", card="<script>alert(1)</script>")
    assert run() == {"sent": 1}
    (message,) = mail_server.messages
    assert message["Bcc"] is None
    assert "<script>" not in part(message, "html")
    assert "&lt;script&gt;" in part(message, "html")
    assert "<script>" in part(message, "plain")


def test_a_subject_is_one_line(mail_server: Post) -> None:
    gateways.current().mail.send(
        mail.Letter("mail.1", "a@demo.test", "Two\r\nBcc: b@demo.test", "text", "<p>html</p>", START)
    )
    assert mail_server.messages[0]["Subject"] == "Two Bcc: b@demo.test"


@pytest.mark.parametrize("template", ["missing", "top_up_receipt"])
def test_a_message_that_cannot_be_written_stops_no_other_and_can_be_replayed(
    mail_server: Post, template: str
) -> None:
    person = factories.person()
    with transaction():
        broken = mail.queue(person.id, template, {}, START, key="broken")
    fine = queued(person.id)
    assert run() == {"failed": 1, "sent": 1}
    assert broken is not None
    assert row(broken).state == "failed"
    assert row(fine).state == "sent"


def test_only_what_failed_is_replayed(mail_server: Post) -> None:
    message_id = queued(factories.person().id)
    with pytest.raises(Conflict), transaction():
        mail.replay(message_id, START)
    with pytest.raises(NotFound), transaction():
        mail.replay(999, START)


def test_a_dry_run_sends_nothing(mail_server: Post) -> None:
    message_id = queued(factories.person().id)
    assert send_mail.run(JobContext(now=START, dry_run=True)) == {"dry_run": True, "messages": [message_id]}
    assert (mail_server.messages, row(message_id).attempts) == ([], 0)


def test_the_database_keeps_what_was_sent(mail_server: Post) -> None:
    queued(factories.person().id)
    run()
    for statement in (
        "UPDATE mail_message SET state = 'queued'",
        "UPDATE mail_message SET key = 'x'",
        "DELETE FROM mail_message",
    ):
        with pytest.raises(Exception, match="mail_message"), transaction():
            db.session.execute(text(statement))
