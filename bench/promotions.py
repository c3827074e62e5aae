"""What promotional credit costs the tick: nobody has any; many have who are in no reading; one in a hundred pays with it;
all do. Each tick is measured beside one that does not look for credit at all, interleaved in one run.

python -m bench.promotions [sessions] [repetitions]
"""

import json
import sys
from datetime import timedelta
from unittest import mock

from bench.harness import START, Bench, add_sessions, median, product, seconds
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext
from soulseer.services import promotion_spending

_PARTICIPANTS = """
INSERT INTO live_participant (person_id, reading_session_id)
SELECT unnest(ARRAY[client_id, reader_id]), id FROM reading_session ON CONFLICT DO NOTHING
"""
_ACCOUNTS = """
INSERT INTO ledger_account (owner_id, balance, floor, kind, currency, hot, created_at)
SELECT w.owner_id, 0, 0, 'client_promotional_credit', 'USD', false, %(at)s
FROM ledger_account w JOIN person p ON p.id = w.owner_id
WHERE w.kind = 'client_wallet' AND substr(p.subject, 2)::bigint BETWEEN %(first)s AND %(last)s ON CONFLICT DO NOTHING
"""
# A grant of ten thousand dollars each, through the guards: transaction, entries, row.
_GRANTS = """
WITH owner AS (
    SELECT a.id AS account_id, w.id AS wallet_id, w.owner_id FROM ledger_account a
        JOIN ledger_account w ON w.owner_id = a.owner_id AND w.kind = 'client_wallet' JOIN person p ON p.id = w.owner_id
    WHERE a.kind = 'client_promotional_credit' AND substr(p.subject, 2)::bigint BETWEEN %(first)s AND %(last)s
), made AS (
    INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at)
    SELECT 'promotion', 'promotion:bench:' || account_id, '', %(at)s FROM owner RETURNING id, idempotency_key
), booked AS (
    INSERT INTO ledger_entry (transaction_id, account_id, amount, currency)
    SELECT m.id, side.id, side.amount, 'USD' FROM made m JOIN owner o ON m.idempotency_key = 'promotion:bench:' || o.account_id
        CROSS JOIN LATERAL (VALUES (o.account_id, 1000000::bigint),
            ((SELECT id FROM ledger_account WHERE kind = 'platform_promotions'), -1000000::bigint)) side(id, amount)
)
INSERT INTO promotional_credit (person_id, account_id, wallet_id, amount, remaining, created_at, expires_at, transaction_id,
                                state, key, reason)
SELECT o.owner_id, o.account_id, o.wallet_id, 1000000, 1000000, %(at)s, %(at)s + interval '1 year', m.id, 'open',
       'bench:' || o.account_id, 'bench'
FROM owner o JOIN made m ON m.idempotency_key = 'promotion:bench:' || o.account_id
"""


def grant(bench: Bench, first: int, last: int) -> None:
    """Credit for the clients from ``first`` to ``last``."""
    span = {"at": START, "first": first, "last": last}
    bench.database.execute(_ACCOUNTS, span)
    bench.database.execute("ANALYZE ledger_account")
    # The planner knows nothing of rows that the statement itself makes.
    bench.database.execute("SET enable_nestloop = off")
    bench.database.execute(_GRANTS, span)
    bench.database.execute("RESET enable_nestloop")
    bench.database.execute("VACUUM ANALYZE")


class Ticks:
    """Ticks minute after minute over the same sessions."""

    def __init__(self, sessions: int) -> None:
        self.sessions, self.minute = sessions, 0

    def one(self) -> float:
        """Seconds of the next tick, which charges everybody."""
        self.minute += 1
        now = START + timedelta(minutes=self.minute - 1, seconds=31)
        counts: dict[str, object] = {}
        spent = seconds(lambda: counts.update(billing_tick.run(JobContext(now=now))))
        if counts["minutes"] != self.sessions or counts["error"]:
            raise SystemExit(f"{counts} of {self.sessions}")
        return spent

    def without_looking(self) -> float:
        """The same as it was before there was credit."""
        with mock.patch.object(promotion_spending, "holders_due", return_value=[]):
            return self.one()


def measure(bench: Bench, sessions: int, repetitions: int) -> dict[str, object]:
    # The last ones are in no reading: their sessions are ended by hand below.
    idle = sessions
    add_sessions(bench, sessions + idle)
    ids = "SELECT id FROM reading_session ORDER BY id OFFSET %s"
    bench.database.execute(
        "UPDATE reading_session SET state = 'ended', ended_at = %s, end_reason = 'system_ended', active_since = NULL "
        f"WHERE id IN ({ids})",
        (START, sessions),
    )
    bench.database.execute(_PARTICIPANTS)
    bench.database.execute(
        "DELETE FROM live_participant l USING reading_session s WHERE s.id = l.reading_session_id AND s.state = 'ended'"
    )
    bench.database.execute("VACUUM ANALYZE")
    ticks = Ticks(sessions)
    ticks.one()
    found: dict[str, object] = {"sessions": sessions}
    steps = (
        ("nobody_has_any", None),
        ("as_many_have_who_are_in_no_reading", (sessions + 1, sessions + idle)),
        ("one_in_a_hundred_pays_with_it", (1, sessions // 100)),
        ("all_pay_with_it", (sessions // 100 + 1, sessions)),
    )
    for name, span in steps:
        if span is not None:
            grant(bench, *span)
            ticks.one()
        pairs = []
        for _ in range(repetitions):
            # The wallets hold enough: who does not look charges cash.
            bench.database.execute("VACUUM reading_session, ledger_account, promotional_credit")
            pairs.append((ticks.without_looking(), ticks.one()))
        before, after = (median([pair[side] for pair in pairs]) for side in (0, 1))
        found[name] = {
            "without_looking": round(before, 3),
            "with": round(after, 3),
            "ratio": round(median([b / a for a, b in pairs]), 3),
        }
    return found


if __name__ == "__main__":
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with product() as bench:
        print(json.dumps(measure(bench, sessions, repetitions), indent=1))
