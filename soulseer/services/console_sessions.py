"""Reading sessions for staff: the list, and all that is known of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased, lazyload

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.domain.money import from_cents
from soulseer.models.ledger import LedgerAccount, LedgerAlert
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingReceipt, ReadingSession
from soulseer.services.console import Listed, Window, listed, on_days, people_named

Client, ReaderPerson = aliased(Person), aliased(Person)
ClientAccount, ReaderAccount = aliased(LedgerAccount), aliased(LedgerAccount)


@dataclass(frozen=True)
class Case:
    """One session with both people, their accounts, its receipt and the alerts about it."""

    session: ReadingSession
    client: Person
    reader: Person
    profile: ReaderProfile
    client_account: LedgerAccount
    reader_account: LedgerAccount
    receipt: ReadingReceipt | None
    alerts: Sequence[LedgerAlert]

    @property
    def active(self) -> timedelta:
        """Active time, with the stretch that still lasts as far as it is covered."""
        booked = timedelta(microseconds=self.session.active_microseconds)
        since, until = self.session.active_since, self.session.covered_until
        return booked + (until - since) if since and until else booked

    @property
    def given_back(self) -> Decimal:
        """The fair credit, dollars."""
        return from_cents(self.session.credit_cents)


def sessions(
    window: Window,
    *,
    state: str | None = None,
    modality: str | None = None,
    client: str | None = None,
    reader: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Listed:
    """Sessions, newest first. ``client`` and ``reader`` are handles, email addresses or numbers of people."""
    query = _lines().where(*on_days(ReadingSession.created_at, since, until))
    if state:
        query = query.where(ReadingSession.state == state)
    if modality:
        query = query.where(ReadingSession.modality == modality)
    if client:
        query = query.where(ReadingSession.client_id.in_(people_named(client)))
    if reader:
        query = query.where(ReadingSession.reader_id.in_(people_named(reader)))
    return listed(query, ReadingSession.id, window)


def _lines() -> Select:
    return (
        select(
            ReadingSession.id,
            ReadingSession,
            Client.id.label("client_id"),
            Client.handle.label("client"),
            Client.email.label("client_email"),
            ReaderPerson.id.label("reader_id"),
            ReaderPerson.handle.label("reader"),
            ReaderPerson.email.label("reader_email"),
        )
        .join(Client, Client.id == ReadingSession.client_id)
        .join(ReaderPerson, ReaderPerson.id == ReadingSession.reader_id)
    )


def case(session_id: int) -> Case:
    """One session, complete but for its timeline. Two statements. Raises NotFound."""
    row = db.session.execute(
        select(
            ReadingSession, Client, ReaderPerson, ReaderProfile, ClientAccount, ReaderAccount, ReadingReceipt
        )
        .join(Client, Client.id == ReadingSession.client_id)
        .join(ReaderPerson, ReaderPerson.id == ReadingSession.reader_id)
        .join(ReaderProfile, ReaderProfile.person_id == ReadingSession.reader_id)
        .join(ClientAccount, ClientAccount.id == ReadingSession.client_account_id)
        .join(ReaderAccount, ReaderAccount.id == ReadingSession.reader_account_id)
        .outerjoin(ReadingReceipt, ReadingReceipt.reading_session_id == ReadingSession.id)
        .where(ReadingSession.id == session_id)
        # Nobody asks here which roles the two hold.
        .options(lazyload(Client.role_rows), lazyload(ReaderPerson.role_rows))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no reading {session_id}.")
    alerts = db.session.scalars(
        select(LedgerAlert).where(LedgerAlert.reading_session_id == session_id).order_by(LedgerAlert.id)
    )
    session, client, reader, profile, client_account, reader_account, receipt = row
    return Case(session, client, reader, profile, client_account, reader_account, receipt, alerts.all())
