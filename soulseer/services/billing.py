"""Charging minutes: one statement for one session and for two thousand (design §3, Measured; §4, Billing rules).

The statement claims the due sessions by their own UPDATE, moves wallets and earnings in one guarded UPDATE in id
order, and books the minutes. If any wallet did not pay after all, the whole batch is rolled back and tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from soulseer.db import db
from soulseer.domain.money import from_cents

_DUE = "s.state = 'active' AND s.id = ANY(:ids) AND s.paid_until < :due_before"
# The client's own limit: one more column of the row that is claimed anyway (services/ceilings.py).
BELOW_CEILING = "minutes_billed < coalesce(max_minutes, 2147483647)"
# Asked once a statement, however many sessions it charges: whoever stops all billing is obeyed at once, by the tick and by
# every heartbeat (services/billing_stops.py).
_ALLOWED = "NOT EXISTS (SELECT FROM billing_stop WHERE lifted_at IS NULL)"

# The wallet is looked at before the claim, so that a session that cannot pay is not claimed. The guard that counts is
# in ``moved``: it runs on the newest version of each wallet. A nested loop over the sorted moves locks the accounts
# in id order; nobody waits in a circle.
_CHARGE = text(f"""
WITH claimed AS (
    UPDATE reading_session s
    SET minutes_billed = s.minutes_billed + 1, paid_until = s.paid_until + interval '1 minute',
        covered_until = greatest(s.covered_until, :cover)
    FROM ledger_account w
    WHERE w.id = s.client_account_id AND w.balance - s.rate >= w.floor
        AND {_DUE} AND {BELOW_CEILING} AND {_ALLOWED}
    RETURNING s.id, s.minutes_billed, s.rate, s.reader_rate, s.client_account_id, s.reader_account_id, s.paid_until
), moves AS (
    SELECT client_account_id AS id, -rate AS amount FROM claimed
    UNION ALL SELECT reader_account_id, reader_rate FROM claimed WHERE reader_rate > 0
), moved AS (
    UPDATE ledger_account a SET balance = a.balance + m.amount
    FROM (SELECT id, amount FROM moves ORDER BY id) m
    WHERE a.id = m.id AND a.balance + m.amount >= a.floor
    RETURNING a.id
), booked AS (
    INSERT INTO reading_minute
        (reading_session_id, charged_at, job_run_id, minute, amount, reader_part, platform_part)
    SELECT id, :now, :run, minutes_billed, rate, reader_rate, rate - reader_rate FROM claimed
)
SELECT count(*) AS charged, coalesce(sum(rate), 0) AS cents, coalesce(sum(rate - reader_rate), 0) AS platform_cents,
       count(*) FILTER (WHERE paid_until < :due_before) AS still_due,
       (SELECT count(*) FROM moves) AS moves, (SELECT count(*) FROM moved) AS moved
FROM claimed
""").bindparams(  # noqa: S608 (no value is put into the text)
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("run", type_=BigInteger),
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("cover", "due_before", "now")),
)

_PLATFORM = text("""
UPDATE ledger_shard SET balance = balance + :cents
WHERE shard = pg_backend_pid() % 16
    AND account_id = (SELECT id FROM ledger_account
                      WHERE kind = 'platform_revenue' AND owner_id IS NULL AND currency = 'USD')
""")

# Blocks of 4,096 ids are shared out among the parts of a tick: the same ones to each part, whatever is due.
_BATCHES = text("""
SELECT array_agg(id ORDER BY id) AS ids FROM (
    SELECT id, (row_number() OVER (ORDER BY id) - 1) / :size AS batch
    FROM reading_session
    WHERE state = 'active' AND paid_until < :due_before AND NOT (id = ANY(:skip))
        AND (id >> 12) % :parts = :part - 1
) due GROUP BY batch ORDER BY batch
""").bindparams(bindparam("skip", type_=ARRAY(BigInteger)))

_LEFT = text(f"SELECT s.id FROM reading_session s WHERE {_DUE} ORDER BY s.id").bindparams(  # noqa: S608 (as above)
    bindparam("ids", type_=ARRAY(BigInteger))
)

_PLANNED = text("""
SELECT s.id, s.minutes_billed, s.rate, c.email,
       least(ceil(extract(epoch FROM CAST(:cover AS timestamptz) - s.paid_until) / 60),
             (w.balance + (SELECT coalesce(sum(g.remaining), 0) FROM promotional_credit g
                           WHERE g.wallet_id = w.id AND g.state = 'open' AND g.expires_at > :now))::bigint / s.rate,
             coalesce(s.max_minutes - s.minutes_billed, 2147483647)
       )::integer AS minutes
FROM reading_session s JOIN ledger_account w ON w.id = s.client_account_id JOIN person c ON c.id = s.client_id
WHERE s.state = 'active' AND s.paid_until < :cover AND NOT (s.id = ANY(:skip))
ORDER BY s.id
""").bindparams(bindparam("skip", type_=ARRAY(BigInteger)), bindparam("now", type_=DateTime(timezone=True)))


@dataclass(frozen=True)
class Part:
    """Part ``part`` of ``parts`` of the sessions, for several workers at once."""

    part: int = 1
    parts: int = 1


WHOLE = Part()


class WalletRace(Exception):
    """A wallet was spent from while the batch ran: roll back and try again; nothing was charged."""


@dataclass(frozen=True)
class Charged:
    """``sessions`` paid one minute each, ``amount`` dollars in all; ``still_due`` of them owe another one."""

    sessions: int = 0
    amount: Decimal = Decimal("0.00")
    still_due: int = 0

    def __add__(self, other: "Charged") -> "Charged":
        return Charged(
            self.sessions + other.sessions, self.amount + other.amount, self.still_due + other.still_due
        )


def charge(
    ids: Sequence[int],
    *,
    cover: datetime,
    due_before: datetime,
    now: datetime,
    job_run_id: int | None = None,
) -> Charged:
    """Charge one minute to every active session of ``ids`` whose ``paid_until`` is before ``due_before``, whose
    wallet can pay and whose ceiling allows it; ``covered_until`` rises to ``cover``.

    Raises WalletRace if a wallet was emptied meanwhile; the caller's transaction must then roll back.
    """
    row = db.session.execute(
        _CHARGE,
        {"ids": list(ids), "cover": cover, "due_before": due_before, "now": now, "run": job_run_id},
    ).one()
    if row.moves != row.moved:
        raise WalletRace
    if row.charged:
        # Last, and on this backend's own shard, so that nobody waits for it while holding it.
        db.session.execute(_PLATFORM, {"cents": int(row.platform_cents)})
    return Charged(row.charged, from_cents(int(row.cents)), row.still_due)


def prepare_batch(lock_timeout_milliseconds: int) -> None:
    """Make this transaction's plans keep the id order, and not wait long for a locked session."""
    db.session.execute(
        text(
            "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), "
            "set_config('enable_seqscan', 'off', true), set_config('lock_timeout', :timeout, true)"
        ),
        {"timeout": f"{lock_timeout_milliseconds}ms"},
    )


def due_batches(
    due_before: datetime, size: int, skip: Sequence[int] = (), part: Part = WHOLE
) -> list[list[int]]:
    """Ids of the active sessions that are due, but ``skip``, in batches of at most ``size``: one pass over them all."""
    values = {"due_before": due_before, "size": size, "skip": list(skip), **vars(part)}
    return list(db.session.scalars(_BATCHES, values))


def left_due(ids: Sequence[int], due_before: datetime) -> list[int]:
    """Those of ``ids`` that are due still: their wallets cannot pay, or their ceiling is reached."""
    return list(db.session.scalars(_LEFT, {"ids": list(ids), "due_before": due_before}))


def planned(cover: datetime, now: datetime, skip: Sequence[int]) -> list[dict[str, Any]]:
    """What a tick would charge at ``now``, without charging it: session, first and last minute, dollars."""
    rows = db.session.execute(_PLANNED, {"cover": cover, "now": now, "skip": list(skip)})
    return [
        {
            "session": row.id,
            "client": row.email,
            "minutes": [row.minutes_billed + 1, row.minutes_billed + row.minutes],
            "amount": str(from_cents(row.rate * row.minutes)),
        }
        for row in rows
        if row.minutes > 0
    ]


def assume_present(now: datetime) -> int:
    """Move ``covered_until`` of every active session to ``now`` (never back); for simulations only."""
    result = db.session.execute(
        text(
            "UPDATE reading_session SET covered_until = :now WHERE state = 'active' AND covered_until < :now"
        ),
        {"now": now},
    )
    return int(result.rowcount)  # type: ignore[attr-defined]
