"""The demo applicant's application: handed in, without a document, so that there is something to ask for."""

from datetime import date, datetime, timedelta

from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.onboarding import AGREEMENT_VERSION, Stage
from soulseer.models.onboarding import ReaderApplication
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile

HANDED_IN_BEFORE = timedelta(days=2)


def seed(subject: str, issuer: str, now: datetime) -> None:
    """Hand it in two days ago for the person of this subject who waits for review; any application stays as it is."""
    found = db.session.execute(
        select(Person.id, ReaderProfile)
        .join(ReaderProfile, ReaderProfile.person_id == Person.id)
        .outerjoin(ReaderApplication, ReaderApplication.person_id == Person.id)
        .where(
            Person.issuer == issuer,
            Person.subject == subject,
            ReaderProfile.status == "applied",
            ReaderApplication.id.is_(None),
        )
    ).one_or_none()
    if found is None:
        return
    then = now - HANDED_IN_BEFORE
    db.session.add(
        ReaderApplication(
            person_id=found.id,
            state=Stage.SUBMITTED.value,
            state_since=then,
            created_at=then,
            submitted_at=then,
            legal_name="Ada Applicant",
            country="GB",
            birth_date=date(1988, 12, 10),
            identity_expires_on=(now + timedelta(days=900)).date(),
            display_name=found.ReaderProfile.display_name,
            slug=found.ReaderProfile.slug,
            languages=["en", "fr"],
            specialties=found.ReaderProfile.specialties,
            about="I count what names and dates say of beginnings, with a pencil and without haste.",
            sample=(
                "A year apart is a nine in your count: something that was begun together closes before the next begins. "
                "I would not read that as an end. Ask what the two of you have finished and not yet said so; then the "
                "offer is a first, and not a flight. What you do not see yet is how much of the fear is about the "
                "flat and how little about each other."
            ),
            agreement_version=AGREEMENT_VERSION,
            agreement_accepted_at=then,
            agreement_address="127.0.0.1",
            tax_form="w8ben",
            tax_signed_on=then.date(),
        )
    )
