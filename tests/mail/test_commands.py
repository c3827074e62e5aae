"""flask mail."""

from flask import Flask

from soulseer.db import db, transaction
from soulseer.jobs import send_mail
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.services import mail
from tests import factories
from tests.factories import START
from tests.mail.conftest import Post


def test_what_failed_is_listed_and_replayed(app: Flask, mail_server: Post) -> None:
    person = factories.person()
    with transaction():
        number = mail.queue(person.id, "missing", {}, START, key="broken")
    assert send_mail.run(JobContext(now=START)) == {"failed": 1}
    runner = app.test_cli_runner()
    listed = runner.invoke(args=["mail", "failed"])
    assert listed.output.startswith(f"{number}\tmissing\t2026-11-20T12:00:00+00:00\tTemplateNotFound")
    again = runner.invoke(args=["mail", "replay", str(number), "999"])
    assert again.exit_code == 1
    assert f"{number}: queued" in again.output
    with transaction():
        row = db.session.get_one(MailMessage, number)
    assert (row.state, row.attempts) == ("queued", 0)
    assert runner.invoke(args=["mail", "replay", str(number)]).exit_code == 1
    assert runner.invoke(args=["mail", "failed"]).output == ""
