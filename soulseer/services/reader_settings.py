"""What a reader sets: the online switch, rates per modality, the texts of the profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from soulseer.db import db
from soulseer.domain.errors import Forbidden, InvalidInput, NotVerified
from soulseer.domain.money import parse_amount
from soulseer.domain.readings import Modality
from soulseer.domain.texts import clean_line, clean_text
from soulseer.models.readers import ReaderProfile, ReaderRate
from soulseer.services import audit, waiting

LOWEST_RATE = Decimal("0.50")
HIGHEST_RATE = Decimal("100.00")
LONGEST = {"display_name": 60, "headline": 160, "specialties": 200, "biography": 4000}


class SeveralFaults(InvalidInput):
    """More than one field does not fit; ``errors`` says each field's fault."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        field, detail = next(iter(errors.items()))
        super().__init__(field, detail, errors=dict(errors))
        self.errors = dict(errors)


@dataclass(frozen=True)
class Offer:
    """A modality with the reader's rate in dollars a minute (None: never set) and whether it is offered."""

    modality: Modality
    rate: Decimal | None
    offered: bool


def find_profile(person_id: int) -> ReaderProfile | None:
    """The person's reader profile, if any."""
    return db.session.get(ReaderProfile, person_id)


def own_profile(person_id: int) -> ReaderProfile:
    """The person's reader profile. Raises Forbidden where there is none."""
    found = find_profile(person_id)
    if found is None:
        raise Forbidden("Only readers have a reader's page.")
    return found


def offers(person_id: int) -> list[Offer]:
    """Every modality, in the order text, voice, video."""
    rows = db.session.execute(
        select(ReaderRate.modality, ReaderRate.rate, ReaderRate.offered).where(
            ReaderRate.reader_id == person_id
        )
    )
    known = {row.modality: row for row in rows}
    return [
        Offer(m, known[m.value].rate, known[m.value].offered) if m.value in known else Offer(m, None, False)
        for m in Modality
    ]


def set_online(person_id: int, online: bool, now: datetime) -> None:
    """Turn the reader's switch. Raises NotVerified, or InvalidInput (``online``) with nothing on offer."""
    reader = _locked(person_id)
    if online and (reader.status != "verified" or not reader.listed):
        raise NotVerified("You can go online once your application is approved.")
    if online and not any(offer.offered for offer in offers(person_id)):
        raise InvalidInput("online", "Offer at least one kind of reading before you go online.")
    reader.online, reader.offline_cause = online, None
    if online:
        reader.online_since = now
    if waiting.someone_waits(person_id):
        waiting.wake(person_id, now)


def set_rates(person_id: int, typed: Mapping[Modality, tuple[bool, str]], now: datetime) -> None:
    """Set (offered, rate as typed) of each modality; sessions keep the rate of their request.

    A rate is LOWEST_RATE to HIGHEST_RATE dollars with at most two decimals; it may stay empty where the modality is
    not offered. With nothing offered the reader goes offline. Raises SeveralFaults (``text_rate``…), Forbidden.
    """
    reader = _locked(person_id)
    parsed, faults = _parsed(typed)
    if faults:
        raise SeveralFaults(faults)
    before = {offer.modality: offer for offer in offers(person_id)}
    after = {
        m: Offer(m, rate if rate is not None else before[m].rate, offered)
        for m, (offered, rate) in parsed.items()
    }
    changed = {m: offer for m, offer in after.items() if offer != before[m]}
    for modality, offer in changed.items():
        if offer.rate is None:
            continue
        values = {"rate": offer.rate, "offered": offer.offered}
        db.session.execute(
            insert(ReaderRate)
            .values(reader_id=person_id, modality=modality.value, **values)
            .on_conflict_do_update(index_elements=["reader_id", "modality"], set_=values)
        )
    if changed:
        details = {m.value: {"from": _said(before[m]), "to": _said(offer)} for m, offer in changed.items()}
        audit.record("reader.rates_set", "reader", person_id, now, actor_id=person_id, details=details)
    if not any(offer.offered for offer in (before | after).values()):
        reader.online = False


def set_texts(person_id: int, typed: Mapping[str, str]) -> None:
    """Set display_name, headline, specialties and biography (plain text). Raises SeveralFaults, Forbidden."""
    reader = _locked(person_id)
    faults: dict[str, str] = {}
    for field, longest in LONGEST.items():
        clean = clean_text if field == "biography" else clean_line
        try:
            words = clean(field, typed.get(field, ""), longest, minimum=2 if field == "display_name" else 0)
            setattr(reader, field, words)
        except InvalidInput as fault:
            faults[field] = fault.detail
    if faults:
        db.session.expire(reader)
        raise SeveralFaults(faults)


def _locked(person_id: int) -> ReaderProfile:
    found = db.session.get(ReaderProfile, person_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise Forbidden("Only readers have a reader's page.")
    return found


def _parsed(
    typed: Mapping[Modality, tuple[bool, str]],
) -> tuple[dict[Modality, tuple[bool, Decimal | None]], dict[str, str]]:
    parsed: dict[Modality, tuple[bool, Decimal | None]] = {}
    faults: dict[str, str] = {}
    for modality, (offered, text) in typed.items():
        if not text.strip() and not offered:
            parsed[modality] = (False, None)
            continue
        try:
            rate = parse_amount(text)
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise ValueError(f"A minute costs ${LOWEST_RATE} to ${HIGHEST_RATE}.")
            parsed[modality] = (offered, rate)
        except ValueError as fault:
            faults[f"{modality.value}_rate"] = str(fault)
    return parsed, faults


def _said(offer: Offer) -> str:
    return f"{offer.rate} {'offered' if offer.offered else 'not offered'}"
