"""flask doctor: everything the product stands on, a line each."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click
from flask import current_app
from flask.cli import with_appcontext
from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from soulseer import gateways
from soulseer.blueprints.health import migrations_fault
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import SoulSeerError
from soulseer.gateways.agora_channels import ChannelsRefused, ChannelsUnavailable
from soulseer.gateways.issuer import Issuer
from soulseer.gateways.stripe import StripeRefused
from soulseer.jobs.schedule import QUEUES
from soulseer.services import job_status


class Sick(Exception):
    """A part does not do what it must; the message says why."""


class Off(Exception):
    """A part is not set up, and needs not be here."""


@dataclass(frozen=True)
class Finding:
    """``state``: ok, off (not set up, not needed here) or failed."""

    name: str
    state: str
    detail: str


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def group(as_json: bool) -> None:
    """Look at settings and every part: a line each; exit 0 if all is well, else 1."""
    findings = [look(name, check) for name, check in CHECKS.items()]
    well = all(finding.state != "failed" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            click.echo(f"{finding.name:<11} {finding.state:<6} {finding.detail}")
    raise SystemExit(0 if well else 1)


def look(name: str, check: Callable[[], str]) -> Finding:
    """Run one check; whatever it raises is its finding."""
    try:
        return Finding(name, "ok", check())
    except Off as off:
        return Finding(name, "off", str(off))
    except Sick as sick:
        return Finding(name, "failed", str(sick))
    except SoulSeerError as error:
        return Finding(name, "failed", error.detail)
    except (SQLAlchemyError, RedisError, OSError) as error:
        db.session.rollback()
        first_line = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        return Finding(name, "failed", f"{type(error).__name__}: {first_line}")


def settings() -> str:
    """A fault would have stopped this command already, with a line for each."""
    configured = current_app.extensions["settings"]
    return f"{configured.app_env}, {configured.app_base_url}" + (", sandbox" if configured.sandbox else "")


def database() -> str:
    began = time.perf_counter()
    version = db.session.scalar(text("SHOW server_version"))
    return f"PostgreSQL {version}, {(time.perf_counter() - began) * 1000:.0f} ms"


def migrations() -> str:
    fault = migrations_fault()
    if fault:
        raise Sick(f"{fault}: run `flask db upgrade`")
    return "at head"


def redis() -> str:
    server = gateways.current().presence.redis.info("server")
    return f"{server.get('server_name', 'redis')} {server.get('valkey_version') or server['redis_version']}"


def workers() -> str:
    found = Worker.all(connection=gateways.current().queue.redis)
    unserved = set(QUEUES) - {name for worker in found for name in worker.queue_names()}
    if unserved:
        raise Sick(
            f"{len(found)} running, nobody serves {', '.join(sorted(unserved))}: run `flask jobs worker`"
        )
    return f"{len(found)} running"


def scheduler() -> str:
    leader = job_status.leader()
    if leader is None:
        raise Sick("nobody leads: run `flask jobs scheduler`")
    return f"led by {leader}"


def openid() -> str:
    configured = current_app.extensions["settings"]
    if not configured.issuer:
        raise Sick("neither AUTH0_DOMAIN nor OIDC_ISSUER is set")
    missing = [
        name
        for name in ("auth0_client_id", "auth0_client_secret", "auth0_audience")
        if not getattr(configured, name)
    ]
    if missing:
        raise Sick(f"{', '.join(missing).upper()} not set")
    # A new one, so that nothing comes from memory.
    return f"{configured.issuer}, {Issuer(configured.issuer).count_keys()} keys"


def stripe() -> str:
    gateway = gateways.current().stripe
    if not gateway.configured:
        raise Sick("STRIPE_SECRET_KEY is not set")
    if not gateway.signing_secrets:
        raise Sick("STRIPE_WEBHOOK_SIGNING_SECRET is not set")
    try:
        gateway.retrieve_checkout("cs_test_doctor")
    except StripeRefused as refused:
        # That it knows no such session is the answer we hope for: it took our key.
        if not refused.missing:
            raise
    return f"answers, {'live' if gateway.livemode else 'test'} mode"


def agora() -> str:
    gateway = gateways.current().agora
    if not gateway.configured:
        raise Sick("AGORA_APP_ID and AGORA_SECURITY_CERTIFICATE must be 32 hexadecimal digits each")
    channels = gateways.current().channels
    if not channels.configured:
        return f"tokens of version {gateway.version}; nobody is removed from a call (AGORA_CUSTOMER_ID is not set)"
    try:
        channels.check()
    except (ChannelsUnavailable, ChannelsRefused) as error:
        raise Sick(f"{error.title}: {error.detail}") from error
    return f"tokens of version {gateway.version}; who stays in a call is removed"


def calls() -> str:
    media = policies.current().media
    if media.transport == "agora":
        return "by Agora"
    helpers = (
        f"{len(media.ice_servers)} STUN or TURN servers" if media.ice_servers else "no STUN or TURN server"
    )
    return f"between the two browsers, {helpers}"


def storage() -> str:
    configured = current_app.extensions["settings"]
    names = ("r2_endpoint_url", "r2_access_key_id", "r2_secret_access_key", "r2_bucket")
    missing = [name.upper() for name in names if not getattr(configured, name)]
    if len(missing) == len(names):
        raise Off("not set up: no pictures can be sent")
    if missing:
        raise Sick(f"{', '.join(missing)} not set")
    return gateways.current().storage.check()


def mail() -> str:
    configured = current_app.extensions["settings"]
    if not configured.mail_url:
        raise Off("not set up: mail waits in its queue")
    return gateways.current().mail.check()


def staff() -> str:
    rules = policies.current().staff
    minutes = int(rules.idle.total_seconds() // 60)
    factor = "a second factor" if rules.second_factor else "no second factor (STAFF_REQUIRE_MFA)"
    return f"the back office asks for {factor}, and to sign in again after {minutes} minutes away"


CHECKS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "database": database,
    "migrations": migrations,
    "redis": redis,
    "workers": workers,
    "scheduler": scheduler,
    "openid": openid,
    "staff": staff,
    "stripe": stripe,
    "agora": agora,
    "calls": calls,
    "storage": storage,
    "mail": mail,
}
