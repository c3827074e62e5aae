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
from soulseer.sandbox.places import free_port

ROUNDS = 3
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
    """A browser's signed-in cookie for the person."""
    login = uuid.uuid4()
    bench.database.execute(
        "INSERT INTO login (id, person_id, created_at, expires_at) VALUES (%s, %s, now(), now() + interval '1 day')",
        [login, person_id],
    )
    serializer = bench.app.session_interface.get_signing_serializer(bench.app)  # type: ignore[attr-defined]
    assert serializer is not None
    return f"soulseer={serializer.dumps({'_user_id': str(login), '_fresh': True})}"


def rate(url: str, header: str | None, duration: int) -> float:
    """Requests a second that all answered well."""
    command = ["wrk", "-t1", "-c8", f"-d{duration}s", url]
    if header:
        command += ["-H", header]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed:
        raise SystemExit(f"{url}: {printed}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert found is not None
    return float(found.group(1))


def fill(bench: Bench) -> tuple[int, int, str]:
    """25 readers with rates and reviews, a client with a long wallet history and a live session: (client, session, slug)."""
    add_sessions(bench, 40)
    database = bench.database
    database.execute(
        "INSERT INTO reader_rate (reader_id, modality, rate, offered) SELECT person_id, modality, 199, true "
        "FROM reader_profile, unnest(ARRAY['text', 'voice', 'video']) modality"
    )
    database.execute(
        "UPDATE reader_profile SET headline = 'Tarot and time', biography = repeat('Words. ', 80)"
    )
    row = database.execute(
        "SELECT id, client_id, reader_id FROM reading_session ORDER BY id LIMIT 1"
    ).fetchone()
    assert row is not None
    session, client, _ = row
    database.execute("INSERT INTO person_role (person_id, role) VALUES (%s, 'client')", [client])
    now = datetime.now(UTC)
    database.execute(
        "UPDATE reading_session SET paid_until = %s, covered_until = %s, active_since = %s WHERE id = %s",
        [now + timedelta(days=1), now, now, session],
    )
    database.execute(
        "WITH t AS (INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) "
        " SELECT 'adjustment', 'fill:' || n, '', now() FROM generate_series(1, 60) n RETURNING id) "
        "INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) SELECT t.id, side.account, side.amount, 'USD' FROM t, "
        "LATERAL (VALUES ((SELECT id FROM ledger_account WHERE owner_id = %s AND kind = 'client_wallet'), 100), "
        "((SELECT id FROM ledger_account WHERE kind = 'platform_promotions'), -100)) side(account, amount)",
        [client],
    )
    database.execute("VACUUM ANALYZE")
    return client, session, "r1"


def main(duration: int) -> None:
    with product() as bench:
        client, session, slug = fill(bench)
        signed_in = f"Cookie: {cookie(bench, client)}"
        ours, port = serve("wsgi:app", bench.environment)
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
            rates: dict[str, list[float]] = {name: [] for name in ("bare", *urls)}
            for _ in range(ROUNDS):
                rates["bare"].append(rate(f"http://127.0.0.1:{bare_port}/", None, duration))
                for name, url in urls.items():
                    rates[name].append(rate(url, signed_in, duration))
            bare_rate = median(rates["bare"])
            for name, values in rates.items():
                print(
                    json.dumps({name: round(median(values)), "of_bare": round(median(values) / bare_rate, 2)})
                )
        finally:
            ours.terminate()
            bare.terminate()
            ours.wait()
            bare.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
