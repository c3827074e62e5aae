"""A reading of three hours on its page of the console (180 charges, 900 messages, a call's measurements of both sides)
against a bare Flask page under the same server, in turn, in one run: milliseconds of one request after the other.

python -m bench.console_timeline [requests of each]
"""

import json
import sys
import urllib.request

from bench.harness import Bench, add_sessions, median, product, seconds
from bench.pages import cookie, serve
from soulseer.db import transaction
from soulseer.services import connection_samples

STATEMENTS = (
    "INSERT INTO reading_session (client_id, reader_id, client_account_id, reader_account_id, created_at, ring_until, activated_at, "
    "ended_at, finalized_at, end_reason, active_microseconds, kept_microseconds, rate, reader_rate, minutes_billed, credit, "
    "minimum_minutes, reconnects, reader_share, state, modality, channel, currency) "
    "SELECT client_id, reader_id, client_account_id, reader_account_id, began, began, began, began + interval '3 hours', "
    "began + interval '3 hours', 'client_ended', 10800000000, 0, 199, 139, 180, 0, 1, 0, 0.7, 'finalized', 'voice', 'three-hours', 'USD' "
    "FROM reading_session, LATERAL (SELECT created_at - interval '1 day') past(began) WHERE id = 1",
    "INSERT INTO reading_minute (reading_session_id, charged_at, minute, amount, reader_part, platform_part) "
    "SELECT id, created_at + (minute - 1) * interval '1 minute', minute, 199, 139, 60 "
    "FROM reading_session, generate_series(1, 180) minute WHERE channel = 'three-hours'",
    "INSERT INTO reading_message (reading_session_id, number, sender_id, client_key, body, created_at) "
    "SELECT id, n, CASE WHEN n % 3 = 0 THEN reader_id ELSE client_id END, gen_random_uuid(), 'Words', created_at + n * interval '12 seconds' "
    "FROM reading_session, generate_series(1, 899) n WHERE channel = 'three-hours'",
    "INSERT INTO reading_session_event (reading_session_id, effective_at, recorded_at, actor_role, action, from_state, to_state, details) "
    "SELECT id, at, at, 'client', action, before, after, '{}' FROM reading_session, LATERAL (VALUES "
    "(created_at, 'activate', 'waiting', 'active'), (ended_at, 'end', 'active', 'ended')) move(at, action, before, after) "
    "WHERE channel = 'three-hours' ORDER BY at",
)


def fill(bench: Bench) -> tuple[int, int]:
    """(The session's id, a member of support's id)."""
    add_sessions(bench, 2)
    for statement in STATEMENTS:
        bench.database.execute(statement)  # type: ignore[call-overload]
    row = bench.database.execute(
        "SELECT id, created_at, (SELECT id FROM person WHERE subject = 'c2') FROM reading_session WHERE channel = 'three-hours'"
    ).fetchone()
    assert row is not None
    session_id, began, staff = row
    bench.database.execute("INSERT INTO person_role (person_id, role) VALUES (%s, 'support')", [staff])
    text = connection_samples.as_text({"round_trip_ms": 60, "loss_percent": 1, "quality": "good"}, 7)
    start = int(began.timestamp() * 1_000_000)
    lines = [f"{start + ten * 10_000_000}|{text}" for ten in range(1080)]
    with transaction():
        connection_samples.keep(session_id, {"client": lines, "reader": lines})
    bench.database.execute("VACUUM ANALYZE")
    return session_id, staff


def milliseconds(url: str, header: dict[str, str]) -> float:
    """One request, answered in full. Raises HTTPError."""
    request = urllib.request.Request(url, headers=header)
    return 1000 * seconds(lambda: urllib.request.urlopen(request, timeout=30).read())


def main(count: int) -> None:
    with product() as bench:
        session_id, staff = fill(bench)
        signed_in = {"Cookie": cookie(bench, staff)}
        ours, port = serve("wsgi:app", {**bench.environment, "LOG_LEVEL": "INFO"})
        bare, bare_port = serve("bench.bare:app", bench.environment)
        url = f"http://127.0.0.1:{port}/admin/sessions/{session_id}/"
        found: dict[str, list[float]] = {"bare": [], "timeline": []}
        try:
            for turn in range(count + 5):
                told = {
                    "bare": milliseconds(f"http://127.0.0.1:{bare_port}/", {}),
                    "timeline": milliseconds(url, signed_in),
                }
                # The first few warm each process up.
                if turn >= 5:
                    for name, value in told.items():
                        found[name].append(value)
            for name, values in found.items():
                p95 = sorted(values)[int(len(values) * 0.95)]
                print(json.dumps({name: round(median(values), 1), "p95": round(p95, 1)}))
        finally:
            for process in (ours, bare):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
