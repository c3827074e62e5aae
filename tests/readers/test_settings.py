"""What a reader sets: switch, rates, texts."""

from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.errors import Forbidden, InvalidInput, NotVerified
from soulseer.domain.readings import Modality
from soulseer.models.operations import AuditEntry
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.services import reader_settings as settings
from soulseer.services.reader_settings import Offer, SeveralFaults
from tests import factories
from tests.factories import START
from tests.readers import sessions

OFF = (False, "")


def set_rates(
    person_id: int, text: tuple[bool, str], voice: tuple[bool, str] = OFF, video: tuple[bool, str] = OFF
) -> None:
    with transaction():
        settings.set_rates(
            person_id, {Modality.TEXT: text, Modality.VOICE: voice, Modality.VIDEO: video}, START
        )


def test_rates_are_set_kept_and_audited(app: Flask) -> None:
    reader = factories.reader("1.99")
    set_rates(reader.person_id, (True, "2.50"), (False, ""), (False, "7"))
    assert settings.offers(reader.person_id) == [
        Offer(Modality.TEXT, Decimal("2.50"), True),
        Offer(Modality.VOICE, Decimal("1.99"), False),
        Offer(Modality.VIDEO, Decimal("7.00"), False),
    ]
    entry = db.session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.actor_id) == ("reader.rates_set", reader.person_id)
    assert entry.details["text"] == {"from": "1.99 offered", "to": "2.50 offered"}
    set_rates(reader.person_id, (True, "2.50"), (False, "1.99"), (False, "7"))
    assert len(db.session.scalars(select(AuditEntry)).all()) == 1


def test_a_rate_never_touches_a_running_session(app: Flask) -> None:
    client, reader = factories.person(), factories.reader("1.99")
    session_id = sessions.waiting(client.id, reader.person_id)
    set_rates(reader.person_id, (True, "100.00"))
    assert db.session.get_one(ReadingSession, session_id).rate == Decimal("1.99")


@pytest.mark.parametrize(
    "typed",
    [
        "0.49",
        "100.01",
        "0",
        "-1",
        "1.999",
        "NaN",
        "1e400",
        "Infinity",
        "１.９９",
        "",
        " ",
        "1,99",
        "0x10",
        "1_0",
        "9" * 400,
    ],
)
def test_rates_that_do_not_fit_are_refused(app: Flask, typed: str) -> None:
    reader = factories.reader("1.99")
    with pytest.raises(SeveralFaults) as refusal:
        set_rates(reader.person_id, (True, typed), (True, "0.50"), (True, "0.01"))
    assert set(refusal.value.errors) == {"text_rate", "video_rate"}
    assert settings.offers(reader.person_id)[0].rate == Decimal("1.99")


def test_a_reader_with_nothing_on_offer_goes_offline(app: Flask) -> None:
    reader = factories.reader()
    set_rates(reader.person_id, (False, "1.99"))
    db.session.rollback()
    assert db.session.get_one(ReaderProfile, reader.person_id).online is False
    with pytest.raises(InvalidInput), transaction():
        settings.set_online(reader.person_id, True, START)


def test_only_a_verified_reader_goes_online(app: Flask) -> None:
    reader = factories.reader(online=False)
    with transaction():
        settings.set_online(reader.person_id, True, START)
    assert db.session.get_one(ReaderProfile, reader.person_id).online
    with transaction():
        profile = db.session.get_one(ReaderProfile, reader.person_id)
        profile.status, profile.listed, profile.online = "suspended", False, False
    with pytest.raises(NotVerified), transaction():
        settings.set_online(reader.person_id, True, START)


def test_somebody_without_a_profile_sets_nothing(app: Flask) -> None:
    client = factories.person()
    with pytest.raises(Forbidden), transaction():
        settings.set_online(client.id, True, START)
    with pytest.raises(Forbidden):
        set_rates(client.id, (True, "1.00"))


def test_texts_are_cleaned_or_refused_together(app: Flask) -> None:
    reader = factories.reader()
    with transaction():
        settings.set_texts(
            reader.person_id,
            {
                "display_name": "  Luna \t Moon ",
                "headline": "a\nb",
                "specialties": "",
                "biography": "One\r\n\r\n\r\n\r\nTwo ",
            },
        )
    profile = db.session.get_one(ReaderProfile, reader.person_id)
    assert (profile.display_name, profile.headline, profile.biography) == ("Luna Moon", "a b", "One\n\nTwo")
    with pytest.raises(SeveralFaults) as refusal, transaction():
        settings.set_texts(reader.person_id, {"display_name": "", "headline": "x" * 161, "biography": "\x00"})
    assert set(refusal.value.errors) == {"display_name", "headline", "biography"}
    db.session.rollback()
    assert db.session.get_one(ReaderProfile, reader.person_id).display_name == "Luna Moon"
