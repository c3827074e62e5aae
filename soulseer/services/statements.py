"""Statements of payouts, read from the ledger itself: what moved a reader's available earnings since the last payout.

A payout empties the available earnings, so that the lines of its statement sum to it exactly; nothing is kept twice.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Row, String, bindparam, text

from soulseer.db import db
from soulseer.domain.money import from_cents
from soulseer.models.payouts import Payout
from soulseer.models.types import Instant

NOTHING = Decimal("0.00")
SOURCES = {
    "booking": "Booking",
    "gift": "Gift",
    "paid_reply": "Paid reply",
    "shop_order": "Shop order",
    "tip": "Tip",
}
WORDS = {
    "refund_to_wallet": "Refunded to the client",
    "refund_to_card": "Refunded to the client",
    "booking_refund": "Booking refunded",
    "fair_credit": "Unused time given back",
    "receivable_paid": "Kept for what you owed",
    "payout_failed": "A payout came back",
    "adjustment": "Correction by SoulSeer",
}
OFFSET = "Kept for what you owed"


@dataclass(frozen=True)
class Line:
    """``amount`` dollars that the payout grew (or, below zero, shrank) by. ``earned`` and ``refunded`` tell of an
    earning what it was and what of it was refunded before its release; ``at`` is when it was earned or booked."""

    at: datetime
    words: str
    amount: Decimal
    reading_session_id: int | None = None
    client: str | None = None
    minutes: int | None = None
    earned: Decimal | None = None
    refunded: Decimal | None = None


@dataclass(frozen=True)
class Year:
    """A calendar year in the reader's time zone, dollars: what was paid out in it, what of payouts came back in it,
    and what was earned in it less refunds before their release."""

    year: int
    payouts: int
    paid: Decimal
    came_back: Decimal
    earned: Decimal

    @property
    def net(self) -> Decimal:
        return self.paid - self.came_back


# A payout that was never sent, and its return, cancel out: what it held is on the next one's statement.
_LINES = text("""
WITH account AS (
    SELECT max(id) FILTER (WHERE kind = 'reader_earnings_available') AS available,
           max(id) FILTER (WHERE kind = 'reader_receivable') AS owed
    FROM ledger_account WHERE owner_id = :person AND currency = 'USD'
), moved AS (
    SELECT n.transaction_id AS id FROM ledger_entry n, account
    WHERE n.account_id = account.available AND n.transaction_id > :after AND n.transaction_id <= :upto
    UNION
    SELECT e.release_transaction_id FROM earning e
    WHERE e.reader_id = :person AND e.release_transaction_id > :after AND e.release_transaction_id <= :upto
)
SELECT t.id, t.kind, t.created_at, coalesce(e.reading_session_id, t.reading_session_id) AS reading_session_id,
       e.source, e.earned_at, e.amount AS earned, e.taken_back,
       coalesce(n.amount, 0) AS amount, CASE WHEN e.id IS NULL THEN 0 ELSE coalesce(o.amount, 0) END AS kept,
       s.modality, s.minutes_billed, p.handle
FROM moved JOIN ledger_transaction t ON t.id = moved.id CROSS JOIN account
    LEFT JOIN ledger_entry n ON n.transaction_id = t.id AND n.account_id = account.available
    LEFT JOIN ledger_entry o ON o.transaction_id = t.id AND o.account_id = account.owed
    LEFT JOIN earning e ON e.release_transaction_id = t.id
    LEFT JOIN reading_session s ON s.id = coalesce(e.reading_session_id, t.reading_session_id)
    LEFT JOIN person p ON p.id = s.client_id
WHERE t.kind <> 'payout' AND NOT (t.kind = 'payout_failed' AND t.idempotency_key LIKE '%\\:failed')
ORDER BY t.id
""").bindparams(*(bindparam(name, type_=BigInteger) for name in ("person", "after", "upto")))

_YEARS = text("""
WITH told AS (
    SELECT extract(year FROM paid_at AT TIME ZONE :zone)::integer AS year, 1 AS payouts, amount AS paid,
           0::bigint AS came_back, 0::bigint AS earned
    FROM payout WHERE person_id = :person AND paid_at IS NOT NULL
    UNION ALL
    SELECT extract(year FROM r.created_at AT TIME ZONE :zone)::integer, 0, 0, r.amount, 0
    FROM payout_reversal r JOIN payout p ON p.id = r.payout_id WHERE p.person_id = :person
    UNION ALL
    SELECT extract(year FROM earned_at AT TIME ZONE :zone)::integer, 0, 0, 0, amount - taken_back
    FROM earning WHERE reader_id = :person
)
SELECT year, sum(payouts), sum(paid), sum(came_back), sum(earned) FROM told GROUP BY year ORDER BY year DESC
""").bindparams(bindparam("person", type_=BigInteger), bindparam("zone", type_=String))

_NEXT_RELEASE = text(
    "SELECT min(releases_at) AS at FROM earning WHERE reader_id = :person AND state = 'pending'"
    " AND taken_back < amount"
).columns(at=Instant)


def lines(payout: Payout) -> list[Line]:
    """The lines of a payout, oldest first: they sum to its amount."""
    values = {
        "person": payout.person_id,
        "after": payout.after_transaction_id,
        "upto": payout.transaction_id or payout.after_transaction_id,
    }
    found: list[Line] = []
    for row in db.session.execute(_LINES, values):
        found.extend(_of(row))
    return found


def _of(row: Row) -> Iterable[Line]:
    about = {
        "reading_session_id": row.reading_session_id,
        "client": row.handle,
        "minutes": row.minutes_billed,
    }
    if row.earned is None:
        words = WORDS.get(row.kind, row.kind.replace("_", " ").capitalize())
        yield Line(row.created_at, words, from_cents(row.amount), **about)
        return
    words = SOURCES.get(row.source) or f"{(row.modality or '').capitalize()} reading".strip()
    yield Line(
        row.earned_at,
        words,
        from_cents(row.amount + row.kept),
        **about,
        earned=from_cents(row.earned),
        refunded=from_cents(row.taken_back),
    )
    if row.kept:
        yield Line(row.created_at, OFFSET, from_cents(-row.kept), **about)


def years(person_id: int, time_zone: str) -> list[Year]:
    """The reader's totals by calendar year of ``time_zone`` (IANA), newest first."""
    rows = db.session.execute(_YEARS, {"person": person_id, "zone": time_zone})
    return [Year(int(row[0]), int(row[1]), *(from_cents(int(cents)) for cents in row[2:])) for row in rows]


def next_release(person_id: int) -> datetime | None:
    """When the next of the reader's earnings are released; None where none are held."""
    return db.session.execute(_NEXT_RELEASE, {"person": person_id}).scalar()


def lines_csv(payout: Payout, found: Sequence[Line]) -> str:
    """The lines as CSV (RFC 4180, UTF-8): instants in ISO 8601 UTC, amounts as plain decimals."""
    head = (
        "payout",
        "date",
        "what",
        "reading",
        "client",
        "minutes",
        "earned",
        "refunded",
        "amount",
        "currency",
    )
    rows = [
        (
            payout.id,
            line.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            safe(line.words),
            line.reading_session_id,
            safe(line.client or ""),
            line.minutes,
            line.earned,
            line.refunded,
            line.amount,
            payout.currency,
        )
        for line in found
    ]
    return _csv(head, rows)


def years_csv(found: Sequence[Year], time_zone: str) -> str:
    """The totals of years as CSV."""
    head = ("year", "time_zone", "payouts", "paid", "came_back", "net_paid", "earned", "currency")
    rows = [
        (year.year, safe(time_zone), year.payouts, year.paid, year.came_back, year.net, year.earned, "USD")
        for year in found
    ]
    return _csv(head, rows)


def safe(cell: str) -> str:
    """Words that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    begins = cell.lstrip(" \t\r\n")[:1] in ("=", "+", "-", "@") or cell[:1] in ("\t", "\r", "\n")
    return f"'{cell}" if begins else cell


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(head)
    table.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return written.getvalue()
