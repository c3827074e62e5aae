"""The room's heartbeat with nothing due, statistics in its body, against bare Flask routes under the same server, in
turn, in one run; and the SQL statements of one.

python -m bench.heartbeat [seconds for each turn] [rounds]        needs `wrk` (Debian's package)
"""

import json
import subprocess
import sys
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench.harness import Bench, median, product
from bench.pages import both_are_there, cookie, fill, serve

ROUNDS, CONNECTIONS = 5, 8
BEAT = json.dumps(
    {
        "connection": {
            "round_trip_ms": 43.5,
            "loss_percent": 0.4,
            "bitrate_kbps": 812.2,
            "freezes": 1,
            "jitter_ms": 3,
            "quality": "good",
        },
        "tab": str(uuid.uuid4()),
    }
)


def signed_in(bench: Bench, person_id: int) -> dict[str, str]:
    """The headers of the page's own call: cookie and CSRF token."""
    sent = cookie(bench, person_id)
    session = bench.app.session_interface.get_signing_serializer(bench.app).loads(sent.partition("=")[2])  # type: ignore[attr-defined]
    token = URLSafeTimedSerializer(bench.app.config["SECRET_KEY"], salt="wtf-csrf-token").dumps(
        session["csrf_token"]
    )
    return {"Cookie": sent, "X-CSRFToken": str(token)}


def script(headers: dict[str, str]) -> str:
    """wrk's script: a POST with the beat's body."""
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
    return "\n".join(['wrk.method = "POST"', f"wrk.body = {json.dumps(BEAT)}", *lines]) + "\n"


def rate(url: str, path: Path, seconds: int) -> float:
    """Requests a second that were all answered well, a connection each (see bench.pages.rate)."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(path), url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed:
        raise SystemExit(f"{url}: {printed}")
    return float(printed.split("Requests/sec:")[1].split()[0])


def statements(client: FlaskClient, path: str, headers: dict[str, str]) -> list[str]:
    """The SQL of one beat, the second in a row."""
    seen: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(" ".join(statement.split()))

    for last in (False, True):
        if last:
            event.listen(Engine, "before_cursor_execute", listen)
        # In a thread of its own, or the requests would share what this process has looked up.
        with ThreadPoolExecutor(1) as pool:
            sent = {"data": BEAT, "headers": {"Content-Type": "application/json", **headers}}
            answer = pool.submit(client.post, path, **sent).result()
        assert answer.status_code == 200, answer.get_data(as_text=True)
    event.remove(Engine, "before_cursor_execute", listen)
    return seen


def main(seconds: int, rounds: int) -> None:
    with product() as bench, tempfile.TemporaryDirectory() as folder:
        client, session, _slug = fill(bench)
        headers = signed_in(bench, client)
        path = f"/api/sessions/{session}/heartbeat/"
        both_are_there(session)
        sent = statements(bench.app.test_client(use_cookies=False), path, headers)
        writes = [one for one in sent if not one.upper().startswith("SELECT")]
        print(json.dumps({"statements": len(sent), "writes": len(writes)}))
        beat, plain = Path(folder) / "beat.lua", Path(folder) / "plain.lua"
        common = {"Content-Type": "application/json", "Connection": "close"}
        beat.write_text(script({**common, **headers}))
        plain.write_text(script(common))
        ours, port = serve("wsgi:app", {**bench.environment, "LOG_LEVEL": "INFO"})
        bare, bare_port = serve("bench.bare_beat:app", bench.environment)
        names = ("heartbeat", "row", "nothing")
        urls = {
            "heartbeat": f"http://127.0.0.1:{port}{path}",
            "row": f"http://127.0.0.1:{bare_port}/row/",
            "nothing": f"http://127.0.0.1:{bare_port}/nothing/",
        }
        rates: dict[str, list[float]] = {name: [] for name in names}
        try:
            for _ in range(rounds):
                for name in names:
                    both_are_there(session)
                    rates[name].append(rate(urls[name], beat if name == "heartbeat" else plain, seconds))
            row = bench.database.execute(
                "SELECT state, minutes_billed FROM reading_session WHERE id = %s", [session]
            ).fetchone()
            assert row is not None
            assert row[0] == "active", row
        finally:
            ours.terminate()
            bare.terminate()
            ours.wait()
            bare.wait()
        print(json.dumps({name: round(median(rates[name])) for name in names}))
        for against in ("row", "nothing"):
            ratios = [mine / theirs for mine, theirs in zip(rates["heartbeat"], rates[against], strict=True)]
            print(json.dumps({"of": against, "ratio": round(median(ratios), 2), "goal": 0.6}))


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 5,
        int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS,
    )
