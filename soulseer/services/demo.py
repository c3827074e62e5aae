"""Demo people, set-wise: a handful or ten thousand cost the same few statements. Never used in production.

What exists is left as it is, so that a second run changes nothing that people did in the meantime.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import TypeEngine

from soulseer.db import db
from soulseer.domain.accounts import CHART, AccountKind
from soulseer.domain.money import to_cents
from soulseer.domain.readings import Modality
from soulseer.domain.transfers import TransferKind, check_legal
from soulseer.models.types import Instant


@dataclass(frozen=True)
class DemoReader:
    """The profile of a demo reader; ``verified`` ones are listed and online. Rates in dollars a minute."""

    slug: str
    display_name: str
    headline: str
    specialties: str
    biography: str
    rates: dict[Modality, Decimal]
    verified: bool = True


@dataclass(frozen=True)
class DemoAccount:
    """A person to be: ``wallet`` is the opening balance in dollars."""

    email: str
    subject: str
    handle: str
    roles: tuple[str, ...]
    wallet: Decimal = Decimal("0.00")
    reader: DemoReader | None = None


def _sql(words: str, **arrays: type[String] | type[BigInteger]) -> TextClause:
    statement = text(words).bindparams(*(bindparam(name, type_=ARRAY(kind)) for name, kind in arrays.items()))
    # PostgreSQL cannot always tell a parameter's type from where it stands.
    scalars: dict[str, TypeEngine[Any]] = {
        "issuer": String(),
        "kind": String(),
        "now": Instant,
        "floor": BigInteger(),
    }
    used = [bindparam(name, type_=kind) for name, kind in scalars.items() if f":{name}" in words]
    return statement.bindparams(*used)


# A handle that somebody else has already gets a few letters behind it.
_PEOPLE = _sql(
    """
    INSERT INTO person (issuer, subject, email, email_verified, handle, time_zone, created_at)
    SELECT :issuer, n.subject, n.email, true,
           CASE WHEN EXISTS (SELECT FROM person p WHERE lower(p.handle) = lower(n.handle))
                THEN left(n.handle, 29) || '-' || left(md5(n.subject || :issuer), 8) ELSE n.handle END, 'UTC', :now
    FROM unnest(:subjects, :emails, :handles) AS n(subject, email, handle)
    ON CONFLICT (issuer, subject) DO NOTHING
    """,
    subjects=String,
    emails=String,
    handles=String,
)
_ROLES = _sql(
    """
    INSERT INTO person_role (person_id, role, granted_at)
    SELECT p.id, n.role, :now FROM unnest(:subjects, :roles) AS n(subject, role)
        JOIN person p ON p.issuer = :issuer AND p.subject = n.subject
    ON CONFLICT DO NOTHING
    """,
    subjects=String,
    roles=String,
)
_ACCOUNTS = _sql(
    """
    INSERT INTO ledger_account (owner_id, kind, floor, balance, currency, hot, created_at)
    SELECT p.id, :kind, :floor, 0, 'USD', false, :now FROM person p
    WHERE p.issuer = :issuer AND p.subject = ANY(:subjects) ORDER BY p.id
    ON CONFLICT DO NOTHING
    """,
    subjects=String,
)
# Transactions and their entries in one statement each, as the ledger's guards want them. The same address under
# another issuer is somebody else, whose opening has the person's number in its key.
_OPENINGS = _sql(
    """
    WITH opening AS (
        SELECT w.id AS account_id, n.cents, 'demo:opening:' || n.email || CASE
                   WHEN EXISTS (SELECT FROM person o WHERE lower(o.email) = lower(n.email) AND o.id < p.id)
                   THEN ':' || p.id ELSE '' END AS key
        FROM unnest(:subjects, :emails, :cents) AS n(subject, email, cents)
            JOIN person p ON p.issuer = :issuer AND p.subject = n.subject
            JOIN ledger_account w ON w.owner_id = p.id AND w.kind = 'client_wallet' AND w.currency = 'USD'
        WHERE n.cents > 0
    ), fresh AS (
        INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at)
        SELECT :kind, key, 'Opening balance of a demo person', :now FROM opening
        ON CONFLICT (idempotency_key) DO NOTHING
        RETURNING id, idempotency_key
    ), source AS (
        SELECT id FROM ledger_account WHERE kind = 'platform_promotions' AND owner_id IS NULL AND currency = 'USD'
    )
    INSERT INTO ledger_entry (transaction_id, account_id, amount, currency)
    SELECT f.id, side.account_id, side.amount, 'USD'
    FROM fresh f JOIN opening o ON o.key = f.idempotency_key CROSS JOIN source
        CROSS JOIN LATERAL (VALUES (source.id, -o.cents), (o.account_id, o.cents)) AS side(account_id, amount)
    """,
    subjects=String,
    emails=String,
    cents=BigInteger,
)
_PROFILES = _sql(
    """
    INSERT INTO reader_profile (person_id, slug, display_name, headline, specialties, biography, status, listed,
                                online, rating_sum, rating_count, created_at, verified_at)
    SELECT p.id, n.slug, n.name, n.headline, n.specialties, n.biography, n.status, n.status = 'verified',
           n.status = 'verified', 0, 0, :now, CASE WHEN n.status = 'verified' THEN :now END
    FROM unnest(:subjects, :slugs, :names, :headlines, :specialties, :biographies, :statuses)
            AS n(subject, slug, name, headline, specialties, biography, status)
        JOIN person p ON p.issuer = :issuer AND p.subject = n.subject
    ON CONFLICT (person_id) DO NOTHING
    """,
    **dict.fromkeys(
        ("subjects", "slugs", "names", "headlines", "specialties", "biographies", "statuses"), String
    ),
)
_RATES = _sql(
    """
    INSERT INTO reader_rate (reader_id, modality, rate, offered)
    SELECT p.id, n.modality, n.cents, true FROM unnest(:subjects, :modalities, :cents) AS n(subject, modality, cents)
        JOIN person p ON p.issuer = :issuer AND p.subject = n.subject
    ON CONFLICT DO NOTHING
    """,
    subjects=String,
    modalities=String,
    cents=BigInteger,
)


def add(people: Sequence[DemoAccount], issuer: str, now: datetime) -> int:
    """Add those of ``people`` that are missing, with roles, accounts and opening balances; how many were new."""
    subjects = [person.subject for person in people]
    emails = [person.email for person in people]
    common = {"issuer": issuer, "now": now}
    handles = [person.handle for person in people]
    values = {**common, "subjects": subjects, "emails": emails, "handles": handles}
    added = db.session.execute(_PEOPLE, values).rowcount  # type: ignore[attr-defined]
    pairs = [(person.subject, role) for person in people for role in person.roles]
    db.session.execute(_ROLES, {**common, "subjects": [s for s, _ in pairs], "roles": [r for _, r in pairs]})
    _open_accounts(people, issuer, now)
    _open_balances(people, issuer, now)
    _add_profiles([person for person in people if person.reader], issuer, now)
    return int(added)


def refresh_statistics() -> None:
    """Tell PostgreSQL's planner about many new rows at once; it would find out by itself, but later."""
    db.session.execute(
        text("ANALYZE person, person_role, ledger_account, ledger_entry, reader_profile, reader_rate")
    )


def _open_accounts(people: Sequence[DemoAccount], issuer: str, now: datetime) -> None:
    readers = [person.subject for person in people if "reader" in person.roles]
    for kind, subjects in (
        (AccountKind.CLIENT_WALLET, [person.subject for person in people]),
        (AccountKind.READER_EARNINGS_PENDING, readers),
        (AccountKind.READER_EARNINGS_AVAILABLE, readers),
    ):
        floor = CHART[kind].floor_cents
        values = {"issuer": issuer, "now": now, "kind": kind.value, "floor": floor, "subjects": subjects}
        db.session.execute(_ACCOUNTS, values)


def _open_balances(people: Sequence[DemoAccount], issuer: str, now: datetime) -> None:
    kind = TransferKind.ADJUSTMENT
    for cents in {to_cents(person.wallet) for person in people} - {0}:
        check_legal(kind, [(AccountKind.PLATFORM_PROMOTIONS, -cents), (AccountKind.CLIENT_WALLET, cents)])
    db.session.execute(
        _OPENINGS,
        {
            "issuer": issuer,
            "now": now,
            "kind": kind.value,
            "subjects": [person.subject for person in people],
            "emails": [person.email for person in people],
            "cents": [to_cents(person.wallet) for person in people],
        },
    )


def _add_profiles(people: Sequence[DemoAccount], issuer: str, now: datetime) -> None:
    readers = [(person.subject, person.reader) for person in people if person.reader]
    rates = [(s, m.value, to_cents(rate)) for s, reader in readers for m, rate in reader.rates.items()]
    db.session.execute(
        _PROFILES,
        {
            "issuer": issuer,
            "now": now,
            "subjects": [subject for subject, _ in readers],
            "slugs": [reader.slug for _, reader in readers],
            "names": [reader.display_name for _, reader in readers],
            "headlines": [reader.headline for _, reader in readers],
            "specialties": [reader.specialties for _, reader in readers],
            "biographies": [reader.biography for _, reader in readers],
            "statuses": ["verified" if reader.verified else "applied" for _, reader in readers],
        },
    )
    db.session.execute(
        _RATES,
        {
            "issuer": issuer,
            "subjects": [subject for subject, _, _ in rates],
            "modalities": [modality for _, modality, _ in rates],
            "cents": [cents for _, _, cents in rates],
        },
    )
