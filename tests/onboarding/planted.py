"""Applications as somebody would have made them."""

from datetime import date, datetime, timedelta

from soulseer.db import db, transaction
from soulseer.domain.onboarding import AGREEMENT_VERSION, CRITERIA, Item, Outcome
from soulseer.models.onboarding import ReaderApplication
from soulseer.models.people import Person
from soulseer.services import application_reviews, applications
from soulseer.services.application_reviews import Verdict
from tests import factories
from tests.factories import START

WHY = "Looked at with both eyes open"
GOOD = dict.fromkeys(CRITERIA, 4)


def handed_in(
    person: Person | None = None, said: str = "", now: datetime = START, **changed: object
) -> ReaderApplication:
    """An application that waits for staff, without files; ``said`` stands in its free texts."""
    person = person or factories.person()
    signed = (now - timedelta(days=3)).date()
    changed = {"slug": f"ada-{person.id}", "tax_form": "w8ben", "tax_signed_on": signed, **changed}
    with transaction():
        made = ReaderApplication(
            person_id=person.id, state="submitted", state_since=now, created_at=now, submitted_at=now,
            legal_name=f"Ada {said}", country="GB", birth_date=date(1990, 2, 28),
            identity_expires_on=(now + timedelta(days=400)).date(), display_name=f"Ada {said}"[:60],
languages=["en"], specialties=f"Runes {said}", about=f"I read runes. {said}",
            sample=f"Three stones say stay. {said}", agreement_version=AGREEMENT_VERSION,
            agreement_accepted_at=now, agreement_address="127.0.0.1", **changed,
        )  # fmt: skip
        db.session.add(made)
    return made


def checked(application_id: int, actor_id: int, now: datetime = START, *, but: tuple[Item, ...] = ()) -> None:
    """Every item passed by one member of staff, those of ``but`` left open."""
    with transaction():
        for item in Item:
            if item not in but:
                scores = GOOD if item is Item.TEST_READING else None
                application_reviews.record(
                    application_id, actor_id, Verdict(item, Outcome.PASSED, scores), WHY, now
                )


def approved(said: str = "", now: datetime = START, **changed: object) -> ReaderApplication:
    """A reader by an application."""
    made = handed_in(said=said, now=now, **changed)
    checked(made.id, factories.person("support").id, now)
    admin = factories.person("admin").id
    with transaction():
        application_reviews.approve(made.id, admin, WHY, now)
    found = applications.of(made.person_id)
    assert found is not None
    return found
