"""Whether a receipt is genuine: its signature holds, and the books still say what was signed.

For anybody who knows its code. The ledger is read anew each time; what corrected the receipt after it was written is
told beside it and is no disagreement.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.domain.readings import Role
from soulseer.gateways.signing import Seal, UnknownKey
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingReceipt, ReadingSession
from soulseer.services import receipt_movements, receipt_statements
from soulseer.services.receipt_statements import CODE_ALPHABET, CODE_LENGTH
from soulseer.services.receipts import Line, later_line

_CODE = re.compile(f"[{CODE_ALPHABET}]{{{CODE_LENGTH}}}")
# What of a statement is compared, in the words of the page; names may change after the reading.
WORDS = {
    "session": "The reading",
    "client": "The client’s account",
    "reader": "The reader’s account",
    "modality": "The kind of reading",
    "rate": "The price a minute",
    "currency": "The currency",
    "requested_at": "When it was asked for",
    "started_at": "When it began",
    "ended_at": "When it ended",
    "end_reason": "How it ended",
    "issued_at": "When the receipt was written",
    "minutes": "The minutes",
    "minutes_charged_at": "When minutes were charged",
    "pauses": "The pauses",
    "charged": "What was charged",
    "credited": "What was given back at the end",
    "total": "The total",
    "ledger_transactions": "The bookings",
}
# Told to nobody in figures: only that they differ.
UNTOLD = ("session", "client", "reader", "minutes_charged_at", "pauses", "ledger_transactions")


class Verdict(StrEnum):
    """``unsigned``: written before receipts were signed, and the books agree with it."""

    GENUINE = "genuine"
    UNSIGNED = "unsigned"
    WRONG = "wrong"


@dataclass(frozen=True)
class Difference:
    """``stated`` and ``found`` are None where a third party is not to know them."""

    what: str
    stated: str | None = None
    found: str | None = None


@dataclass(frozen=True)
class Verification:
    """What anybody may know of a receipt. ``total`` in dollars, as stated; ``later`` stands beneath it, ``left`` is both."""

    code: str
    verdict: Verdict
    differences: tuple[Difference, ...]
    client: str
    reader: str
    modality: str
    began_at: datetime
    issued_at: datetime
    minutes: int
    total: Decimal
    later: tuple[Line, ...]
    key_id: str | None

    @property
    def left(self) -> Decimal:
        return self.total + sum((line.amount for line in self.later if line.amount is not None), Decimal(0))


def normal_code(typed: str) -> str:
    """A code as it was typed (small letters, dashes, spaces) as it is kept. Raises NotFound for what is none."""
    code = re.sub(r"[\s-]", "", typed[:40]).upper()
    if not _CODE.fullmatch(code):
        raise NotFound("There is no receipt with this code.")
    return code


def verify(typed: str) -> Verification:
    """Compare the receipt of this code with its signature and with the books. Raises NotFound."""
    code = normal_code(typed)
    row = db.session.execute(
        select(ReadingReceipt, ReadingSession, Person.handle, ReaderProfile.display_name)
        .join(ReadingSession, ReadingSession.id == ReadingReceipt.reading_session_id)
        .join(Person, Person.id == ReadingSession.client_id)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .where(ReadingReceipt.code == code)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no receipt with this code.")
    receipt, session, handle, reader_name = row
    movements = receipt_movements.of(session.id)
    found = receipt_statements.worked_out(session, movements, receipt.issued_at)
    stated, wrong = _stated(receipt)
    wrong += _differences(stated, found | {"receipt": code})
    verdict = Verdict.WRONG if wrong else Verdict.GENUINE if receipt.signature else Verdict.UNSIGNED
    later = receipt_movements.later(movements, receipt.issued_at)
    return Verification(
        code=code,
        verdict=verdict,
        differences=tuple(wrong),
        client=str(stated.get("client_handle", handle)),
        reader=str(stated.get("reader_name", reader_name)),
        modality=session.modality,
        began_at=session.activated_at or session.created_at,
        issued_at=receipt.issued_at,
        minutes=receipt.minutes,
        total=receipt.total,
        later=tuple(later_line(one, Role.CLIENT) for one in later),
        key_id=receipt.signing_key,
    )


def _stated(receipt: ReadingReceipt) -> tuple[dict[str, Any], list[Difference]]:
    """What the receipt states, and what is wrong with it in itself."""
    row = {
        "receipt": receipt.code,
        "session": receipt.reading_session_id,
        "minutes": receipt.minutes,
        "charged": f"{receipt.charged:.2f}",
        "credited": f"{receipt.credited:.2f}",
        "total": f"{receipt.total:.2f}",
        "currency": receipt.currency,
    }
    if receipt.statement is None or receipt.signing_key is None or receipt.signature is None:
        return row, []
    try:
        seal = Seal(receipt.signing_key, receipt.signature)
        if not gateways.current().signing.holds(receipt.statement, seal):
            return row, [Difference("The signature does not belong to this receipt")]
    except UnknownKey:
        return row, [Difference("The key that signed this receipt is not known here any more")]
    signed: dict[str, Any] = json.loads(receipt.statement)
    return signed, _differences({name: signed.get(name) for name in row}, row)


def _differences(stated: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(words)
        if name in UNTOLD
        else Difference(words, str(stated.get(name)), str(found.get(name)))
        for name, words in {"receipt": "The code", **WORDS}.items()
        if name in stated and stated.get(name) != found.get(name)
    ]
