"""What staff change from the back office: each with its reason, and its audit row in the same transaction."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, PresenceUnavailable
from soulseer.domain.moderation import REASONS_FOR_PEOPLE
from soulseer.domain.readings import Role, State
from soulseer.domain.schedule import JobPlan
from soulseer.domain.texts import clean_text
from soulseer.gateways.presence import Signs
from soulseer.models.ledger import LedgerAlert
from soulseer.models.readings import ReadingSession
from soulseer.services import audit, console_jobs, finalization, flags, readings, settling
from soulseer.services.readings import Caller

SHORTEST_REASON, LONGEST_REASON = 10, 500


def reason_given(text: str) -> str:
    """The reason as it is kept. Raises InvalidInput (``reason``) where it is too short to tell anything."""
    return clean_text("reason", text, LONGEST_REASON, minimum=SHORTEST_REASON)


def last_signs(session_id: int, now: datetime) -> Signs:
    """When both were last seen; without Redis nobody is judged."""
    timeout = policies.current().reading.presence_timeout
    try:
        return gateways.current().presence.touch(session_id, None, now, timeout)
    except PresenceUnavailable:
        return Signs(now, None, None)


def end_session(session_id: int, actor_id: int, reason: str, now: datetime, signs: Signs) -> ReadingSession:
    """End a live session for its participants. Raises NotFound, IllegalMove, RingOver, GraceOver."""
    session = readings.end(session_id, Caller(Role.STAFF, actor_id), now, signs, reason=reason)
    details = {"minutes": session.minutes_billed, "charged": str(session.cost)}
    audit.record(
        "reading.ended_by_staff",
        "reading_session",
        session_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details=details,
    )
    return session


def report_session(
    session_id: int, about: str, because: str, actor_id: int, reason: str, now: datetime
) -> int:
    """Flag one side (``about``: client or reader) of a session as the house: the number of the moderators' case.

    The same side for the same cause again is the same flag while its case is open. Raises NotFound, Forbidden for one's
    own session, InvalidInput (``about``, ``because``).
    """
    session = db.session.get(ReadingSession, session_id)
    if session is None:
        raise NotFound(f"There is no reading {session_id}.")
    sides = {Role.CLIENT.value: session.client_id, Role.READER.value: session.reader_id}
    if about not in sides:
        raise InvalidInput("about", "Say whom it is about: the client or the reader.")
    if because not in {one.code for one in REASONS_FOR_PEOPLE}:
        raise InvalidInput("because", "Choose what is wrong.")
    if actor_id in sides.values():
        raise Forbidden("Somebody else must report your own reading.")
    flag = flags.raise_flag("session", session_id, None, because, reason, None, now, about_id=sides[about])
    if flag.created_at == now:
        details = {"about": about, "because": because, "case": flag.case_id}
        audit.record(
            "reading.reported",
            "reading_session",
            session_id,
            now,
            actor_id=actor_id,
            reason=reason,
            details=details,
        )
    return int(flag.case_id)


def retry_finalize(session_id: int, actor_id: int, reason: str, now: datetime) -> bool:
    """Check an ended session against the ledger again: whether it is finalized now. Raises NotFound, Conflict."""
    session = settling.lock(session_id)
    if session.state != State.ENDED:
        raise Conflict(f"Reading {session_id} is {session.state}; only an ended one can be finalized.")
    done = finalization.finalize(session_id, now)
    audit.record(
        "reading.finalize_retried",
        "reading_session",
        session_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"finalized": done},
    )
    return done


def resolve_alert(alert_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Close an alert with what was found. Raises NotFound, Conflict where it is closed already."""
    alert = db.session.scalar(
        select(LedgerAlert)
        .where(LedgerAlert.id == alert_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if alert is None:
        raise NotFound(f"There is no alert {alert_id}.")
    if alert.resolved_at is not None:
        raise Conflict(f"Alert {alert_id} was resolved before.")
    alert.resolved_at, alert.resolved_by, alert.resolution = now, actor_id, reason
    audit.record(
        "ledger_alert.resolved",
        "ledger_alert",
        alert_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"kind": alert.kind, "session": alert.reading_session_id},
    )


def request_run(
    plan: JobPlan,
    key: uuid.UUID,
    arguments: Mapping[str, str],
    actor_id: int,
    reason: str,
    now: datetime,
    *,
    dry_run: bool,
) -> bool:
    """Have a worker run ``plan`` once this is committed; False if it was asked for under ``key`` before.

    The run is recorded under a slot of the key, so that it begins once however often it is queued. Raises
    InvalidInput for an argument that does not fit or a dry run where there is none.
    """
    given = run_arguments(plan, arguments)
    if dry_run and not plan.supports_dry_run:
        raise InvalidInput("dry_run", f"{plan.name} has no dry run.")
    # Two clicks at once: the second waits for the first, and finds that it has been asked for.
    db.session.execute(select(func.pg_advisory_xact_lock(key.int % 2**63)))
    if console_jobs.was_asked(key):
        return False
    audit.record(
        "job.run_asked",
        console_jobs.REQUEST,
        key,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"job": plan.name, "arguments": given, "dry_run": dry_run},
    )
    asked = {
        "slot": console_jobs.slot_of_request(key),
        "arguments": given,
        "triggered_by": actor_id,
        "reason": reason,
        "dry_run": dry_run,
    }
    after_commit(lambda: _enqueue(plan, key, asked))
    return True


def _enqueue(plan: JobPlan, key: uuid.UUID, asked: Mapping[str, Any]) -> None:
    gateways.current().queue.enqueue(
        plan.queue, plan.name, job_id=f"{plan.name}-asked-{key}", arguments=asked, timeout=plan.timeout
    )


def run_arguments(plan: JobPlan, given: Mapping[str, str]) -> dict[str, str]:
    """The arguments that are filled in, checked. Raises InvalidInput that names the one that does not fit."""
    checked = {}
    for argument in plan.arguments:
        value = given.get(argument.name, "").strip()
        if not value:
            continue
        if not (value.isascii() and value.isdigit() and 0 < int(value) < 2**63):
            raise InvalidInput(argument.name, f"{argument.label}: a positive whole number is needed.")
        checked[argument.name] = str(int(value))
    return checked
