"""The evidence pack, answers to the bank, and what staff see and do in the console."""

import io
from datetime import timedelta

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select, update

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict
from soulseer.jobs import settle_disputes
from soulseer.jobs.context import JobContext
from soulseer.models.disputes import DisputeResponse
from soulseer.models.operations import AuditEntry
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingReceipt
from soulseer.services import console_now, dispute_responses, evidence, evidence_pack, logins
from tests import factories
from tests.admin.conftest import Browser, browser  # noqa: F401 - a fixture
from tests.disputes.bank import ask_back, catch_up, dispute, paid
from tests.disputes.planted import lost_dispute
from tests.money_in.conftest import Sandbox
from tests.readings.room import Room

READER = "Зоя Ångström — Ελένη"
LONG = "A very long browser name; " * 40
REASON = "The client was in every reading."


def text_of(content: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def flat(pages: list[str]) -> str:
    return "".join("".join(pages).split())


def disputed_readings(readings: int) -> tuple[int, list[int], int]:
    """A lost dispute with so many readings and as many sign-ins since its payment: (its id, the sessions, the client)."""
    dispute_id = lost_dispute()
    with transaction():
        client_id = evidence.collect(dispute_id).person.id
    rooms = []
    for _ in range(readings):
        room = Room(wallet="30.00", rate="3.00").start(0)
        room.beats(10, 130)
        room.do("end", "client", 135)
        room.finalize(140)
        rooms.append(room)
    with transaction():
        for number, room in enumerate(rooms):
            # Moved to the disputing client: pages only read them.
            db.session.execute(
                update(ReaderProfile)
                .where(ReaderProfile.person_id == room.reader.person_id)
                .values(display_name=f"{READER} {number}")
            )
            logins.start(
                client_id,
                factories.START + timedelta(hours=number),
                id_token=None,
                address=f"203.0.113.{number}",
                user_agent=LONG,
            )
    return dispute_id, [room.id for room in rooms], client_id


def test_the_pack_tells_everything_over_several_pages(app: Flask, superuser) -> None:
    dispute_id, sessions, client_id = disputed_readings(4)
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute(
            "UPDATE reading_session SET client_id = %s WHERE id = ANY(%s)", [client_id, sessions]
        )
        superuser.execute("UPDATE person SET handle = 'zoe' WHERE id = %s", [client_id])
    with transaction():
        found = evidence.collect(dispute_id)
        content = evidence_pack.render(found, clock.now())
        fields = evidence_pack.fields(found, "She was there.")
        codes = list(db.session.scalars(select(ReadingReceipt.code)))
    pages = text_of(content)
    assert len(pages) > 2
    said = flat(pages)
    for words in ("dp_1", "pi_disputed", "$25.00", "fraudulent", "zoe", "2026-11-2012:00:00UTC", *codes):
        assert words in said, words
    for number in range(4):
        assert flat([f"{READER} {number}"]) in said
        assert f"203.0.113.{number}" in said
    assert flat([LONG[:400]]) in said
    assert said.count("systemended") == 0
    assert said.count("clientended") == 4
    assert f"page{len(pages)}of{len(pages)}" in said
    assert fields["uncategorized_text"] == "She was there."
    assert fields["customer_purchase_ip"] == "203.0.113.0"
    assert fields["service_date"] == "2026-11-20"
    assert "text reading with " + READER in fields["access_activity_log"]
    assert len(fields["access_activity_log"]) <= 20_000


def test_what_no_glyph_is_there_for_is_written_as_its_number(app: Flask) -> None:
    dispute_id, (session_id,), _ = disputed_readings(1)
    with transaction():
        found = evidence.collect(dispute_id)
        found.person.email = "张伟@test.test"
        pages = text_of(evidence_pack.render(found, clock.now()))
        db.session.rollback()
    assert "[U+5F20][U+4F1F]@test.test" in flat(pages)
    assert session_id


def answers() -> list[tuple[str, str, str | None]]:
    with transaction():
        rows = db.session.scalars(select(DisputeResponse).order_by(DisputeResponse.id))
        return [(row.kind, row.state, row.stripe_file_id) for row in rows]


def recorded(sandbox: Sandbox, kind: str, **more: object) -> tuple[str, int]:
    """A dispute with an answer that is to be sent: its id at Stripe, and the answer's."""
    client, staff = factories.person(), factories.person("support")
    name = ask_back(sandbox, paid(sandbox, client.id))
    catch_up(sandbox)
    dispute_id = dispute(name).id
    with transaction():
        made = dispute_responses.record(dispute_id, kind, staff.id, REASON, clock.now(), **more)  # type: ignore[arg-type]
    return name, made


def sent(later: timedelta = timedelta(0), **arguments: str) -> dict:
    return settle_disputes.run(JobContext(now=clock.now() + later, arguments=arguments))


def at_stripe(sandbox: Sandbox, kind: str, name: str) -> dict:
    with sandbox.stand_in.work() as work:
        return work.get(kind, name)


def test_evidence_reaches_the_bank_with_the_pack(sandbox: Sandbox) -> None:
    fields = {"uncategorized_text": "She was there.", "customer_name": "zoe"}
    name, made = recorded(sandbox, "evidence", fields=fields, document=b"%PDF-1.4 small")
    colleague = factories.person("support").id
    with pytest.raises(Conflict), transaction():
        dispute_responses.record(1, "accept", colleague, REASON, clock.now())
    assert sent(response=str(made)) == {"sent": 1}
    there = at_stripe(sandbox, "dispute", name)
    file_id = there["evidence"]["service_documentation"]
    assert there["evidence"]["uncategorized_text"] == "She was there."
    assert at_stripe(sandbox, "file", file_id)["size"] == len(b"%PDF-1.4 small")
    assert answers() == [("evidence", "sent", file_id)]
    catch_up(sandbox)
    row = dispute(name)
    assert row.state == "under_review"
    assert row.evidence_submitted_at is not None
    with pytest.raises(Conflict), transaction():
        dispute_responses.record(row.id, "evidence", colleague, REASON, clock.now())


def test_an_accepted_dispute_is_lost(sandbox: Sandbox) -> None:
    name, _ = recorded(sandbox, "accept")
    assert sent(timedelta(minutes=3)) == {"answer_sent": 1}
    catch_up(sandbox)
    assert dispute(name).state == "lost"


@pytest.mark.parametrize("fault", ["fail_api", "timeout_after_effect"])
def test_stripe_failing_is_asked_again_with_the_same_keys(sandbox: Sandbox, fault: str) -> None:
    name, made = recorded(sandbox, "evidence", fields={"uncategorized_text": "x"}, document=b"%PDF-1.4 small")
    sandbox.faults(**{fault: {"count": 4, "status": 500} if fault == "fail_api" else 1})
    first = sent(response=str(made))
    assert first in ({"unanswered": 1}, {"sent": 1})
    if first == {"unanswered": 1}:
        assert sent(timedelta(hours=2)) == {"answer_sent": 1}
    assert at_stripe(sandbox, "dispute", name)["evidence_details"]["submission_count"] == 1
    with sandbox.stand_in.store.transaction() as connection:
        files = connection.execute("SELECT count(*) FROM object WHERE kind = 'file'").fetchone()
    assert files[0] == 1
    assert [state for _, state, _ in answers()] == ["sent"]


def test_a_refused_answer_says_so(sandbox: Sandbox) -> None:
    _, made = recorded(sandbox, "evidence", fields={"no_such_field": "x"})
    assert sent(response=str(made)) == {"refused": 1}
    assert [state for _, state, _ in answers()] == ["refused"]


def test_the_console_downloads_answers_and_writes_off(sandbox: Sandbox, browser) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    client = factories.person()
    name = ask_back(sandbox, paid(sandbox, client.id))
    catch_up(sandbox)
    dispute_id = dispute(name).id
    staff: Browser = browser("finance")
    token = staff.token()
    page = staff.get(f"/admin/disputes/{dispute_id}/").text
    assert "Submit evidence" in page
    assert "The bank waits for an answer" in page
    assert name in page
    pack = staff.post(f"/admin/disputes/{dispute_id}/evidence.pdf", token, reason=REASON)
    assert (pack.status_code, pack.mimetype) == (200, "application/pdf")
    assert name in flat(text_of(pack.data))
    form = {"reason": REASON, "statement": "She was there.", "with_pack": "1"}
    assert staff.post(f"/admin/disputes/{dispute_id}/submit/", token, **form).status_code == 303
    assert staff.post(f"/admin/disputes/{dispute_id}/submit/", token, **form).status_code == 409
    assert "on its way" in staff.get(f"/admin/disputes/{dispute_id}/").text
    assert sent(timedelta(minutes=3)) == {"answer_sent": 1}
    assert at_stripe(sandbox, "dispute", name)["status"] == "under_review"
    assert staff.post(f"/admin/disputes/{dispute_id}/write-off/", token, reason=REASON).status_code == 409
    with transaction():
        rows = db.session.scalars(select(AuditEntry).where(AuditEntry.actor_id == staff.person_id)).all()
        done = {row.action: row.reason for row in rows}
    assert done == {"dispute.pack_downloaded": REASON, "dispute.evidence_asked": REASON}
    listed = staff.get("/admin/disputes/", query_string={"open": "yes", "stripe": name}).text
    assert f"/admin/disputes/{dispute_id}/" in listed


def test_the_front_page_tells_how_many_wait_for_an_answer(sandbox: Sandbox, browser) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    staff: Browser = browser("support")
    assert 'href="/admin/disputes/?state=needs_response"' in staff.get("/admin/dashboard/").text
    ask_back(sandbox, paid(sandbox, factories.person().id))
    catch_up(sandbox)
    with transaction():
        assert console_now.counts(clock.now())["disputes"].count == 1
