"""What tests of payouts share: a reader with earnings, time that passes, accounts' balances."""

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import release_earnings
from soulseer.jobs.context import JobContext
from soulseer.models.earnings import Earning
from soulseer.services import earnings, ledger, ledger_check
from tests.factories import START, person
from tests.factories import reader as make_reader
from tests.readings.room import Room

PENDING, AVAILABLE, OWED = A.READER_EARNINGS_PENDING, A.READER_EARNINGS_AVAILABLE, A.READER_RECEIVABLE
HELD = timedelta(days=7)
# After the hold of everything that is earned at START and within the hour after it.
LATER = START + HELD + timedelta(hours=1)


def reading(minutes: int = 1, rate: str = "10.00") -> Room:
    """A finalized reading of ``minutes`` minutes, the reader's part 70 %."""
    room = Room(rate=rate, wallet="500.00").start(0)
    room.beats(10, 60 * minutes)
    room.do("end", "client", 60 * minutes)
    room.finalize(60 * minutes + 1)
    return room


class Reader:
    """A reader who earns gifts, since those need no live session; amounts in dollars as text."""

    def __init__(self) -> None:
        self.id = make_reader().person_id
        self.client_id = person(wallet="100000.00").id
        self._number = 0

    def earn(self, amount: str, now: datetime = START) -> int:
        """A gift that earns her ``amount``; the ledger transaction's id."""
        self._number += 1
        part = Decimal(amount)
        with transaction():
            transaction_id, _ = ledger.post(
                TransferKind.GIFT,
                f"test:gift:{self.id}:{self._number}",
                [
                    ledger.Posting(ledger.account_id(A.CLIENT_WALLET, self.client_id), -part),
                    ledger.Posting(ledger.account_id(PENDING, self.id), part),
                ],
                now,
            )
            earnings.record_movement(self.id, "gift", part, transaction_id, now)
        return transaction_id

    def take_back(self, amount: str, now: datetime = START, **own: int) -> list[tuple[A, Decimal]]:
        """A refund to the wallet that she bears alone."""
        self._number += 1
        with transaction():
            wallet = ledger.account_id(A.CLIENT_WALLET, self.client_id)
            ledger.lock_accounts([wallet], earnings_of=[self.id])
            taken = earnings.take_back(self.id, Decimal(amount), now, **own)
            ledger.post(
                TransferKind.BOOKING_REFUND,
                f"test:refund:{self.id}:{self._number}",
                [
                    ledger.Posting(wallet, Decimal(amount)),
                    *(ledger.Posting(ledger.account_id(kind, self.id), -part) for kind, part in taken),
                ],
                now,
                memo="Refund of a gift",
            )
        return taken

    def release(self, now: datetime = LATER) -> dict:
        return release_earnings.run(JobContext(now=now))

    @property
    def balances(self) -> tuple[str, str, str]:
        """Pending, available, owed (as it stands in the receivable)."""
        db.session.rollback()
        return tuple(str(ledger.balance(kind, self.id)) for kind in (PENDING, AVAILABLE, OWED))  # type: ignore[return-value]

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Her earnings: amount, taken back, state."""
        db.session.rollback()
        found = db.session.scalars(select(Earning).where(Earning.reader_id == self.id).order_by(Earning.id))
        return [(str(row.amount), str(row.taken_back), row.state) for row in found]


def assert_clean() -> None:
    """The books hold every invariant."""
    assert ledger_check.check() == []
