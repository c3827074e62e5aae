"""Pages (signed in, full) and the heartbeat against a bare Flask page under the same server, in turn, in one run.

python -m bench.pages [seconds for each turn]        needs `wrk` (Debian's package)
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.harness import Bench, add_sessions, median, product
from soulseer import gateways
from soulseer.domain import policies
from soulseer.sandbox.places import free_port

ROUNDS = 5
REPOSITORY = Path(__file__).resolve().parent.parent


def serve(module: str, environment: dict[str, str]) -> tuple["subprocess.Popen[bytes]", int]:
    """gunicorn as shipped (config/gunicorn.py) on a free port, ready."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "--bind", f"127.0.0.1:{port}", module],
        cwd=REPOSITORY,
        env={**os.environ, **environment, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1)
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.1)
            continue
        break
    return process, port


def cookie(bench: Bench, person_id: int) -> str:
    """A browser's cookie for the person, as it is after the first page: signed in, with the seed of its CSRF tokens."""
    login = uuid.uuid4()
    bench.database.execute(
        "INSERT INTO login (id, person_id, created_at, expires_at) VALUES (%s, %s, now(), now() + interval '1 day')",
        [login, person_id],
    )
    serializer = bench.app.session_interface.get_signing_serializer(bench.app)  # type: ignore[attr-defined]
    assert serializer is not None
    session = {"_user_id": str(login), "_fresh": True, "_permanent": True, "csrf_token": login.hex}
    return f"soulseer={serializer.dumps(session)}"


def rate(url: str, header: str | None, duration: int) -> float:
    """Requests a second that all answered well. A connection each, as from a proxy: those that are kept stay with the
    process that took them, and by chance one process has most of them and the other rests."""
    command = ["wrk", "-t1", "-c8", f"-d{duration}s", "-H", "Connection: close", url]
    if header:
        command += ["-H", header]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed:
        raise SystemExit(f"{url}: {printed}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert found is not None
    return float(found.group(1))


# 25 readers with reviews of 25 clients each; one client with readings done, top-ups and gifts, told newest first.
FILL = (
    "INSERT INTO reader_rate (reader_id, modality, rate, offered) SELECT person_id, modality, 199, true "
    "FROM reader_profile, unnest(ARRAY['text', 'voice', 'video']) modality",
    "UPDATE reader_profile SET headline = 'Tarot and time', specialties = 'Tarot, love, work', "
    "biography = repeat('Words. ', 80), rating_sum = 110, rating_count = 25",
    # Finished readings of three minutes: the client with every reader, and every client with the first reader.
    "INSERT INTO reading_session (client_id, reader_id, client_account_id, reader_account_id, created_at, ring_until, activated_at, "
    "ended_at, finalized_at, end_reason, active_microseconds, kept_microseconds, rate, reader_rate, minutes_billed, credit, "
    "minimum_minutes, reconnects, reader_share, state, modality, channel, currency) "
    "SELECT c.client_id, r.reader_id, c.client_account_id, r.reader_account_id, at, at, at, at, at, 'client_ended', 180000000, 0, "
    "199, 139, 3, 0, 1, 0, 0.7, 'finalized', 'text', 'done' || c.id || '-' || r.id, 'USD' "
    "FROM reading_session c, reading_session r, LATERAL (SELECT now() - (1000 - r.id) * interval '1 hour') past(at) "
    "WHERE (c.id = 1 AND r.id <= 25 OR r.id = 1 AND c.id BETWEEN 2 AND 26) ORDER BY r.id, c.id",
    "INSERT INTO reading_minute (reading_session_id, charged_at, minute, amount, reader_part, platform_part) "
    "SELECT id, created_at + minute * interval '1 minute', minute, 199, 139, 60 FROM reading_session, generate_series(1, 3) minute "
    "WHERE state = 'finalized'",
    "INSERT INTO review (reading_session_id, client_id, reader_id, stars, body, created_at) "
    "SELECT id, client_id, reader_id, 3 + id % 3, 'Clear and kind.', created_at FROM reading_session "
    "WHERE state = 'finalized' ORDER BY id",
    "INSERT INTO top_up (person_id, account_id, amount, currency, state, paid_at, return_path, created_at) "
    "SELECT client_id, client_account_id, 2500, 'USD', 'paid', now(), '/wallet/', now() "
    "FROM reading_session, generate_series(1, 5) WHERE id = 1",
    # Between the readings: a top-up, a gift, and unused time given back.
    "WITH t AS (INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at, reading_session_id) "
    " SELECT (ARRAY['top_up', 'promotion', 'fair_credit'])[n % 3 + 1], 'fill:' || n, '', "
    "  now() - (1000 - n) * interval '1 hour' + interval '10 minutes', CASE n % 3 WHEN 2 THEN 65 + n END "
    " FROM generate_series(1, 25) n ORDER BY n RETURNING id) "
    "INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) SELECT t.id, side.account, side.amount, 'USD' FROM t, "
    "LATERAL (VALUES ((SELECT client_account_id FROM reading_session WHERE id = 1), 100), "
    "((SELECT id FROM ledger_account WHERE kind = 'platform_promotions'), -100)) side(account, amount) ORDER BY t.id",
    "INSERT INTO reading_message (reading_session_id, number, sender_id, client_key, body, created_at) "
    "SELECT id, n, CASE WHEN n % 2 = 0 THEN client_id ELSE reader_id END, gen_random_uuid(), 'Message ' || n, now() "
    "FROM reading_session, generate_series(1, 20) n WHERE id = 1",
)


def fill(bench: Bench) -> tuple[int, int, str]:
    """Full pages for one client: (the client's id, the id of a live session, the slug of its reader)."""
    add_sessions(bench, 40)
    database = bench.database
    row = database.execute("SELECT id, client_id FROM reading_session ORDER BY id LIMIT 1").fetchone()
    assert row is not None
    session, client = row
    for statement in FILL:
        database.execute(statement)  # type: ignore[call-overload]
    database.execute("INSERT INTO person_role (person_id, role) VALUES (%s, 'client')", [client])
    now = datetime.now(UTC)
    database.execute(
        "UPDATE reading_session SET paid_until = %s, covered_until = %s, active_since = %s WHERE id = %s",
        [now + timedelta(days=1), now, now, session],
    )
    database.execute("VACUUM ANALYZE")
    return client, session, "r1"


def both_are_there(session: int) -> None:
    """A sign of life of each side, or the room would be one that its reader has dropped out of."""
    timeout = policies.current().reading.presence_timeout
    for role in ("client", "reader"):
        gateways.current().presence.touch(session, role, datetime.now(UTC), timeout, even_after_gap=True)


def main(duration: int) -> None:
    with product() as bench:
        client, session, slug = fill(bench)
        signed_in = f"Cookie: {cookie(bench, client)}"
        # As shipped: each request writes its line.
        ours, port = serve("wsgi:app", {**bench.environment, "LOG_LEVEL": "INFO"})
        bare, bare_port = serve("bench.bare:app", bench.environment)
        base = f"http://127.0.0.1:{port}"
        try:
            urls = {
                "browse": f"{base}/readers/browse/",
                "profile": f"{base}/readers/{slug}/",
                "wallet": f"{base}/wallet/",
                "room": f"{base}/readings/{session}/",
                "meter": f"{base}/api/sessions/{session}/",
            }
            bare_url = f"http://127.0.0.1:{bare_port}/"
            rates: dict[str, list[float]] = {name: [] for name in ("bare", *urls)}
            ratios: dict[str, list[float]] = {name: [] for name in urls}
            # The bare page again beside every page: what else the machine does falls on both.
            for _ in range(ROUNDS):
                for name, url in urls.items():
                    both_are_there(session)
                    rates["bare"].append(rate(bare_url, None, duration))
                    rates[name].append(rate(url, signed_in, duration))
                    ratios[name].append(rates[name][-1] / rates["bare"][-1])
            row = bench.database.execute(
                "SELECT state FROM reading_session WHERE id = %s", [session]
            ).fetchone()
            assert row == ("active",), row
            print(json.dumps({"bare": round(median(rates["bare"]))}))
            for name, found in ratios.items():
                print(json.dumps({name: round(median(rates[name])), "of_bare": round(median(found), 2)}))
        finally:
            ours.terminate()
            bare.terminate()
            ours.wait()
            bare.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
