"""From an empty form to a reader who is listed and online, through the doors."""

import io
from contextvars import Context

from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.onboarding import AGREEMENT_VERSION, CRITERIA, Item
from soulseer.models.files import StoredFile
from soulseer.models.mail import MailMessage
from soulseer.models.onboarding import ApplicationCheck, FileAccess
from soulseer.models.operations import AuditEntry
from soulseer.models.readers import ReaderProfile
from soulseer.services import applications, people
from tests import factories
from tests.texts.pictures import picture

WHY = "Seen by video, the face fits"
STEPS = {
    "profile": {
        "display_name": "Rosa <b>", "slug": "Rosa-Moon", "languages": "en", "specialties": "Tarot",
        "about": "I have laid cards for friends for many years, slowly.",
    },
    "sample": {"sample": "The cards say that the year apart is a question, not an answer. " * 5},
    "agreement": {"agreement_version": AGREEMENT_VERSION},
    "tax": {"tax_form": "w8ben", "tax_signed_on": "2026-11-01"},
}  # fmt: skip
IDENTITY = {
    "legal_name": "Rosa Moon", "country": "DE", "birth_date": "1990-02-28", "identity_expires_on": "2030-01-01",
}  # fmt: skip


def send(who, path: str, **form):
    """A form with files; the values may be lists."""
    data = {"csrf_token": who.token("/apply/"), **form}
    return Context().run(who.client.post, path, data=data, content_type="multipart/form-data")


def document():
    return io.BytesIO(picture()), "passport.png"


def mails(person_id: int) -> list[str]:
    return list(
        db.session.scalars(
            select(MailMessage.template).where(MailMessage.person_id == person_id).order_by(MailMessage.id)
        )
    )


def test_an_applicant_is_asked_answers_and_is_approved(app, browse, storage) -> None:
    applicant = browse(factories.person().id)
    assert "Begin" in applicant.get("/apply/").text
    for _ in range(2):
        assert send(applicant, "/apply/begin/").location == "/apply/identity/"

    # A mistake elsewhere loses neither the file nor what was typed.
    young = send(
        applicant, "/apply/identity/", **IDENTITY | {"birth_date": "2008-11-21"}, identity_file_id=document()
    )
    assert (young.status_code, "at least 18" in young.text) == (422, True)
    assert 'value="Rosa Moon"' in young.text
    assert "one is kept" in young.text
    early = send(applicant, "/apply/submit/")
    assert (early.status_code, "Missing: " in early.text) == (422, True)
    assert send(applicant, "/apply/identity/", **IDENTITY).location == "/apply/profile/"
    for name, form in STEPS.items():
        assert send(applicant, f"/apply/{name}/", **form).status_code == 303, name
    for _ in range(2):
        assert send(applicant, "/apply/submit/").status_code == 303
    assert "Handed in" in applicant.get("/apply/").text
    assert applicant.get("/apply/profile/").status_code == 404
    found = applications.of(applicant.person_id)
    assert (found.state, found.slug, found.agreement_address) == ("submitted", "rosa-moon", "127.0.0.1")

    # The document opens for a reason, for one person, and the log tells it.
    support = browse(factories.person("support").id)
    page = f"/admin/applications/{found.id}/"
    assert "Rosa &lt;b&gt;" in support.get(page).text
    opening = f"{page}open/{found.identity_file_id}/"
    assert support.post(opening, reason="short").status_code == 422
    link = support.post(opening, reason=WHY).location
    shown = support.get(link)
    assert (shown.status_code, shown.mimetype) == (200, "image/webp")
    assert browse(factories.person("admin").id).get(link).status_code == 404
    assert support.post(f"{page}open/999999/", reason=WHY).status_code == 404
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "file.opened")).one()
    assert (entry.actor_id, entry.reason) == (support.person_id, WHY)

    asked = support.post(f"{page}ask/", reason=WHY, fields="specialties", words="Which cards do you use?")
    assert asked.status_code == 303
    shown = applicant.get("/apply/").text
    assert "Which cards do you use?" in shown
    assert applicant.get("/apply/sample/").status_code == 404
    answer = {**STEPS["profile"], "specialties": "Tarot, Marseille"}
    assert send(applicant, "/apply/profile/", **answer).status_code == 303
    assert send(applicant, "/apply/submit/").status_code == 303

    for item in Item:
        scores = {f"score_{name}": "4" for name in CRITERIA} if item is Item.TEST_READING else {}
        for _ in range(2):
            done = support.post(f"{page}check/{item}/", reason=WHY, outcome="passed", **scores)
            assert done.status_code == 303, (item, done.text)
    assert len(db.session.scalars(select(ApplicationCheck)).all()) == len(Item)
    refused = support.post(f"{page}approve/", reason=WHY)
    assert (refused.status_code, "led the talk" in refused.text) == (403, True)
    admin = browse(factories.person("admin").id)
    assert [admin.post(f"{page}approve/", reason=WHY).status_code for _ in range(2)] == [303, 409]

    reader = db.session.get_one(ReaderProfile, applicant.person_id, populate_existing=True)
    assert (reader.slug, reader.status, reader.listed, reader.specialties) == (
        "rosa-moon", "verified", True, "Tarot, Marseille",
    )  # fmt: skip
    assert "reader" in people.roles_of(applicant.person_id)
    assert mails(applicant.person_id) == [
        "application_submitted", "application_more_wanted", "application_in_review", "application_approved",
    ]  # fmt: skip
    rates = {"text_offered": "1", "text_rate": "1.99"}
    assert send(applicant, "/dashboard/reader/rates/", **rates).status_code == 303
    assert send(applicant, "/dashboard/reader/online/", online="1").status_code == 303
    db.session.refresh(reader)
    assert reader.online
    assert browse(factories.person().id).get("/readers/rosa-moon/").status_code == 200
    assert "Clients find you" in applicant.get("/apply/").text


def test_a_replaced_document_of_a_draft_is_deleted_and_a_link_runs_out(browse, storage, monkeypatch) -> None:
    applicant = browse(factories.person().id)
    send(applicant, "/apply/begin/")
    for _ in range(2):
        send(applicant, "/apply/identity/", **IDENTITY, identity_file_id=document())
    states = db.session.execute(select(StoredFile.id, StoredFile.state).order_by(StoredFile.id)).all()
    assert [row.state for row in states] == ["removing", "stored"]
    assert applicant.get(f"/files/{states[1].id}/").status_code == 200
    assert browse(factories.person("support").id).get(f"/files/{states[1].id}/").status_code == 404
    broken = send(applicant, "/apply/identity/", **IDENTITY, identity_file_id=(io.BytesIO(b"%PDF"), "a.pdf"))
    assert (broken.status_code, "JPEG, PNG" in broken.text) == (422, True)
    with transaction():
        assert db.session.scalars(select(FileAccess)).all() == []
