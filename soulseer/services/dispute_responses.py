"""Answers to the bank: recorded with who and why, handed to Stripe outside any transaction, the outcome recorded.

``send`` may be repeated at any time: both of its calls bear keys made of the answer's own row.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain.disputes import ANSWERABLE, DisputeState
from soulseer.domain.errors import Conflict
from soulseer.gateways import stripe_disputes
from soulseer.models.disputes import Dispute, DisputeResponse
from soulseer.services import audit, own_money
from soulseer.services.dispute_debts import locked

# The job is queued at once; the sweep finds what it did not come to.
FIRST_CHECK, LONGEST_WAIT = timedelta(minutes=2), timedelta(hours=1)
JOB = "settle_disputes"
REFUSED = "Stripe refused this answer: the bank no longer takes one, or a part of it does not fit."


def record(
    dispute_id: int,
    kind: str,
    actor_id: int,
    reason: str,
    now: datetime,
    *,
    fields: Mapping[str, str] | None = None,
    document: bytes | None = None,
) -> int:
    """Record that ``kind`` (evidence, accept) is to be sent; the answer's id. A job sends it after the commit.

    Raises NotFound, Forbidden for a dispute of one's own, Conflict where the bank takes no answer or one is under way.
    """
    dispute = locked(dispute_id)
    own_money.refuse(actor_id, [dispute.person_id])
    if DisputeState(dispute.state) not in ANSWERABLE:
        raise Conflict(f"This dispute is {dispute.state.replace('_', ' ')}: the bank takes no answer now.")
    made = db.session.scalar(
        upsert(DisputeResponse)
        .values(
            dispute_id=dispute_id,
            kind=kind,
            state="recorded",
            actor_id=actor_id,
            fields=dict(fields or {}),
            document=document,
            created_at=now,
            next_check_at=now + FIRST_CHECK,
        )
        .on_conflict_do_nothing(
            index_elements=["dispute_id"], index_where=DisputeResponse.state == "recorded"
        )
        .returning(DisputeResponse.id)
    )
    if made is None:
        raise Conflict("An answer to this dispute is on its way already.")
    audit.record(
        f"dispute.{kind}_asked",
        "dispute",
        dispute_id,
        now,
        actor_id=actor_id,
        reason=reason,
        details={"response": made, "pack_bytes": len(document or b"")},
    )
    after_commit(lambda: _hasten(made))
    return int(made)


def _hasten(response_id: int) -> None:
    gateways.current().queue.enqueue(
        "payments",
        JOB,
        job_id=f"{JOB}-response-{response_id}",
        arguments={"arguments": {"response": str(response_id)}},
    )


def claim(now: datetime, response_id: int | None = None) -> int | None:
    """Take one answer that is to be sent (``response_id``, or the one due longest); None where there is none.

    It is due again by itself later, so that a crash or a silent Stripe loses nothing.
    """
    query = select(DisputeResponse).where(DisputeResponse.state == "recorded")
    if response_id is not None:
        query = query.where(DisputeResponse.id == response_id)
    else:
        query = query.where(DisputeResponse.next_check_at <= now)
    response = db.session.scalars(
        query.order_by(DisputeResponse.next_check_at).limit(1).with_for_update(skip_locked=True)
    ).one_or_none()
    if response is None:
        return None
    response.next_check_at = now + min(max(now - response.created_at, FIRST_CHECK), LONGEST_WAIT)
    return response.id


def get(response_id: int) -> tuple[DisputeResponse, str, bytes | None]:
    """The answer, its dispute's id at Stripe, and its document."""
    row = db.session.execute(
        select(DisputeResponse, Dispute.stripe_dispute_id, DisputeResponse.document)
        .join(Dispute, Dispute.id == DisputeResponse.dispute_id)
        .where(DisputeResponse.id == response_id)
    ).one()
    return row[0], row[1], row[2]


def key_of(response: DisputeResponse) -> str:
    """The answer's name at Stripe, the same at every try."""
    return f"dispute-response:{response.id}:{int(response.created_at.timestamp() * 1_000_000)}"


def upload(response: DisputeResponse, document: bytes) -> str:
    """Hand the pack over: its id at Stripe. Outside any transaction. Raises StripeUnavailable, StripeRefused."""
    name = f"soulseer-dispute-{response.dispute_id}.pdf"
    stripe = gateways.current().stripe
    return stripe_disputes.upload_pack(stripe, document, name, f"{key_of(response)}:file")


def send(response: DisputeResponse, stripe_dispute_id: str) -> None:
    """Hand the answer over. Outside any transaction. Raises StripeUnavailable, StripeRefused."""
    stripe = gateways.current().stripe
    if response.kind == "accept":
        stripe_disputes.accept(stripe, stripe_dispute_id, key_of(response))
        return
    evidence = dict(response.fields)
    if response.stripe_file_id:
        evidence["service_documentation"] = response.stripe_file_id
    stripe_disputes.submit_evidence(stripe, stripe_dispute_id, evidence, key_of(response))


def record_file(response_id: int, stripe_file_id: str) -> None:
    """Note the pack's id at Stripe."""
    _locked(response_id).stripe_file_id = stripe_file_id


def record_outcome(response_id: int, now: datetime, *, failure: str | None = None) -> None:
    """Note that Stripe took the answer, or refused it for good."""
    response = _locked(response_id)
    if response.state != "recorded":
        return
    response.state = "sent" if failure is None else "refused"
    response.done_at, response.next_check_at, response.failure = now, None, failure
    if failure is None and response.kind == "evidence":
        dispute = locked(response.dispute_id)
        dispute.evidence_submitted_at = dispute.evidence_submitted_at or now
    audit.record(
        f"dispute.{response.kind}_{response.state}",
        "dispute",
        response.dispute_id,
        now,
        details={"response": response.id, **({"failure": failure} if failure else {})},
    )


def _locked(response_id: int) -> DisputeResponse:
    return db.session.scalars(
        select(DisputeResponse)
        .where(DisputeResponse.id == response_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
