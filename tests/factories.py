"""Small makers for tests; each writes what a service would, through transaction()."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.readings import Modality
from soulseer.domain.transfers import TransferKind
from soulseer.models.people import Person, PersonRole
from soulseer.models.readers import ReaderProfile, ReaderRate
from soulseer.services import ledger

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_numbers = count(1)


def person(*roles: str, handle: str | None = None, wallet: str = "0.00", now: datetime = START) -> Person:
    """A person with roles (``client`` by default) and a wallet holding ``wallet`` dollars."""
    number = next(_numbers)
    roles = roles or ("client",)
    with transaction():
        made = Person(
            issuer="http://127.0.0.1:9/",
            subject=f"demo|p{number}@test.test",
            email=f"p{number}@test.test",
            email_verified=True,
            handle=handle or f"person-{number}",
            created_at=now,
            role_rows=[PersonRole(role=role) for role in roles],
        )
        db.session.add(made)
        db.session.flush()
        kinds = [AccountKind.CLIENT_WALLET]
        if "reader" in roles:
            kinds += [AccountKind.READER_EARNINGS_PENDING, AccountKind.READER_EARNINGS_AVAILABLE]
        ledger.open_accounts(made.id, kinds, now)
        fund(made.id, wallet, now)
    return made


def fund(person_id: int, amount: str, now: datetime = START) -> None:
    """Put money into a wallet; call it inside transaction()."""
    if Decimal(amount) <= 0:
        return
    ledger.post(
        TransferKind.ADJUSTMENT,
        f"test:fund:{next(_numbers)}",
        [
            ledger.Posting(ledger.account_id(AccountKind.PLATFORM_PROMOTIONS), -Decimal(amount)),
            ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, person_id), Decimal(amount)),
        ],
        now,
    )


def reader(
    rate: str = "1.99", *, slug: str | None = None, online: bool = True, now: datetime = START
) -> ReaderProfile:
    """A verified, listed reader at ``rate`` dollars a minute for every modality."""
    made = person("reader", now=now)
    with transaction():
        profile = ReaderProfile(
            person_id=made.id,
            slug=slug or f"reader-{made.id}",
            display_name=f"Reader {made.id}",
            headline="Tarot and time",
            status="verified",
            listed=True,
            online=online,
            created_at=now,
            verified_at=now,
            rates=[ReaderRate(modality=m.value, rate=Decimal(rate)) for m in Modality],
        )
        db.session.add(profile)
    return profile
