"""What staff do with an application: verdicts with evidence, asking for more, approving, rejecting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from soulseer.db import db
from soulseer.domain.errors import Conflict, Forbidden, InvalidInput
from soulseer.domain.onboarding import (
    CRITERIA,
    FIELDS,
    HIGHEST_SCORE,
    LONGEST_WAIT_DAYS,
    LOWEST_SCORE,
    REJECTIONS,
    Act,
    Gate,
    IllegalStage,
    Item,
    Outcome,
    Paper,
    Stage,
    open_items,
    reading_carries,
    tax_form_expires,
)
from soulseer.domain.texts import clean_line, clean_text
from soulseer.models.onboarding import ApplicationCheck, ReaderApplication
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.services import audit, files, people, reader_gates, reader_papers
from soulseer.services.applications import locked, move
from soulseer.services.files import Intent

LONGEST_WORDS, LONGEST_LINK = 2000, 500


@dataclass(frozen=True)
class Verdict:
    """What somebody found: ``scores`` (1 to 5 by criterion) of a test reading; ``link`` to evidence that lies elsewhere."""

    item: Item
    outcome: Outcome
    scores: Mapping[str, int] | None = None
    link: str = ""


def record(
    application_id: int,
    actor_id: int,
    verdict: Verdict,
    note: str,
    now: datetime,
    evidence: Intent | None = None,
) -> bool:
    """Keep a verdict; False where the last on this item by this person said the same. The first begins the review.

    Raises NotFound, Forbidden for one's own, IllegalStage, InvalidInput for scores that do not carry a pass.
    """
    application = _for_review(application_id, actor_id, now)
    scores = _scores(verdict)
    link = _link(verdict.link)
    last = outcomes_by_item(application_id).get(verdict.item)
    said = (verdict.outcome.value, note, link, scores, actor_id)
    if (
        evidence is None
        and last is not None
        and said == (last.outcome, last.note, last.link, last.scores, last.actor_id)
    ):
        return False
    file_id = files.confirm(evidence).id if evidence is not None else None
    db.session.add(
        ApplicationCheck(
            application_id=application.id,
            item=verdict.item.value,
            outcome=verdict.outcome.value,
            note=note,
            link=link,
            file_id=file_id,
            scores=scores,
            actor_id=actor_id,
            at=now,
        )
    )
    details = {"item": verdict.item.value, "outcome": verdict.outcome.value}
    if scores:
        details["scores"] = ", ".join(f"{name} {score}" for name, score in scores.items())
    audit.record(
        "application.checked",
        "application",
        application.id,
        now,
        actor_id=actor_id,
        reason=note,
        details=details,
    )
    return True


def outcomes_by_item(application_id: int) -> dict[Item, ApplicationCheck]:
    """The last verdict on each item."""
    rows = db.session.scalars(
        select(ApplicationCheck)
        .where(ApplicationCheck.application_id == application_id)
        .order_by(ApplicationCheck.id)
    )
    return {Item(row.item): row for row in rows}


def ask_more(
    application_id: int, actor_id: int, fields: Iterable[str], words: str, reason: str, now: datetime
) -> None:
    """Ask the applicant for ``fields`` (of domain/onboarding.FIELDS), in ``words``. Raises NotFound, Forbidden,
    IllegalStage, InvalidInput."""
    wanted = [name for name in FIELDS if name in set(fields)]
    if not wanted:
        raise InvalidInput("fields", "Choose what the applicant is to fill in again.")
    words = clean_text("words", words, LONGEST_WORDS, minimum=10)
    application = _for_review(application_id, actor_id, now, quietly=True)
    application.wanted, application.wanted_words = wanted, words
    move(
        application, Act.ASK_MORE, now, actor_id=actor_id, reason=reason,
        details={"wanted": ", ".join(wanted), "words": words},
        values={"words": words, "wanted": "\n".join(f"- {FIELDS[name]}" for name in wanted)},
    )  # fmt: skip


def reject(
    application_id: int,
    actor_id: int,
    code: str,
    words: str,
    reapply_on: date | None,
    reason: str,
    now: datetime,
) -> None:
    """Do not accept: ``code`` of REJECTIONS and ``words`` are told, ``reason`` is for the audit log.

    Raises NotFound, Forbidden, IllegalStage, InvalidInput.
    """
    if code not in REJECTIONS:
        raise InvalidInput("code", "Choose why.")
    words = clean_text("words", words, LONGEST_WORDS)
    last = now.date() + timedelta(days=LONGEST_WAIT_DAYS)
    if reapply_on is None or not now.date() < reapply_on <= last:
        raise InvalidInput("reapply_on", "Choose the day from which they may apply again, within two years.")
    application = locked(application_id)
    if application.stage is not Stage.MORE_WANTED:
        application = _for_review(application_id, actor_id, now, quietly=True)
    _not_oneself(application, actor_id)
    application.reject_code, application.reject_words, application.reapply_on = code, words, reapply_on
    application.decided_at, application.decided_by = now, actor_id
    move(
        application, Act.REJECT, now, actor_id=actor_id, reason=reason,
        details={"code": code, "words": words, "reapply_on": str(reapply_on)},
        values={"reason": REJECTIONS[code], "words": words, "reapply_on": f"{reapply_on:%-d %B %Y}"},
    )  # fmt: skip


def approve(application_id: int, actor_id: int, reason: str, now: datetime) -> ReaderProfile:
    """Make the applicant a reader: verified and listed; payable once tax form and Stripe's account allow it.

    Raises NotFound; Forbidden for one's own and for whoever led the talk; IllegalStage; Conflict where items are open,
    the person is suspended or the address of the page is taken.
    """
    application = locked(application_id)
    _not_oneself(application, actor_id)
    verdicts = outcomes_by_item(application_id)
    if application.stage is Stage.IN_REVIEW:
        lacking = open_items({item: Outcome(row.outcome) for item, row in verdicts.items()})
        if lacking:
            named = ", ".join(item.replace("_", " ") for item in lacking)
            raise Conflict(f"Not every item is passed or waived: {named}.")
        talk = verdicts[Item.INTERVIEW]
        if talk.outcome == Outcome.PASSED and talk.actor_id == actor_id:
            raise Forbidden("You led the talk: somebody else approves.")
    if db.session.scalar(select(Person.suspended_at).where(Person.id == application.person_id)) is not None:
        raise Conflict("This person is suspended; that must be lifted first.")
    application.decided_at, application.decided_by = now, actor_id
    lacks_tax = application.tax_form is None
    move(
        application, Act.APPROVE, now, actor_id=actor_id, reason=reason,
        details={item.value: row.outcome for item, row in verdicts.items()},
        values={
            "slug": application.slug or "",
            "payouts": reader_papers.NO_TAX_FORM if lacks_tax else "Stripe needs to know you.",
        },
    )  # fmt: skip
    people.grant_role(application.person_id, "reader", now, actor_id=actor_id, reason=reason)
    reader = _profile(application, now)
    reader_gates.open_for_approved(reader, Gate.LISTED, actor_id, reason, now)
    reader_gates.open_for_approved(reader, Gate.PAYABLE, actor_id, reason, now)
    _papers(application, actor_id, reason, now)
    return reader


def _profile(application: ReaderApplication, now: datetime) -> ReaderProfile:
    """The reader's page with the words of the application. Raises Conflict where its address is taken."""
    found: ReaderProfile | None = db.session.get(
        ReaderProfile, application.person_id, with_for_update=True, populate_existing=True
    )
    reader = found or ReaderProfile(person_id=application.person_id, created_at=now)
    if reader.status in ("verified", "suspended"):
        raise Conflict("This person is a reader already.")
    reader.slug, reader.display_name = application.slug or "", application.display_name
    reader.specialties, reader.biography = application.specialties, application.about
    reader.status, reader.verified_at = "verified", now
    try:
        with db.session.begin_nested():
            db.session.add(reader)
    except IntegrityError:
        raise Conflict("The address of the page is taken meanwhile; ask the applicant for another.") from None
    return reader


def _papers(application: ReaderApplication, actor_id: int, reason: str, now: datetime) -> None:
    """What the reader must keep valid from now on."""
    if application.identity_expires_on is not None and application.identity_expires_on >= now.date():
        reader_papers.keep(
            application.person_id, Paper.IDENTITY_DOCUMENT, application.identity_expires_on, now,
            actor_id=actor_id, reason=reason,
        )  # fmt: skip
    if application.tax_form is None or application.tax_signed_on is None:
        reader_papers.lack(application.person_id, Paper.TAX_FORM, reader_papers.NO_TAX_FORM, now)
        return
    expires = tax_form_expires(application.tax_form, application.tax_signed_on)
    reader_papers.keep(
        application.person_id, Paper.TAX_FORM, expires, now,
        detail=application.tax_form, actor_id=actor_id, reason=reason,
    )  # fmt: skip


def _for_review(
    application_id: int, actor_id: int, now: datetime, *, quietly: bool = False
) -> ReaderApplication:
    """The application locked and in review: what was handed in is taken up by the first deed. Raises IllegalStage."""
    application = locked(application_id)
    _not_oneself(application, actor_id)
    if application.stage is Stage.SUBMITTED:
        move(application, Act.REVIEW, now, actor_id=actor_id, quietly=quietly)
        db.session.flush()
    if application.stage is not Stage.IN_REVIEW:
        raise IllegalStage(f"This application is {application.state.replace('_', ' ')}.")
    return application


def _not_oneself(application: ReaderApplication, actor_id: int) -> None:
    if application.person_id == actor_id:
        raise Forbidden("Somebody else must look at your own application.")


def _scores(verdict: Verdict) -> dict[str, int] | None:
    if verdict.item is not Item.TEST_READING or verdict.outcome is Outcome.WAIVED:
        return None
    given = dict(verdict.scores or {})
    if set(given) != set(CRITERIA) or not all(
        LOWEST_SCORE <= score <= HIGHEST_SCORE for score in given.values()
    ):
        raise InvalidInput("scores", f"Give each criterion {LOWEST_SCORE} to {HIGHEST_SCORE}.")
    if verdict.outcome is Outcome.PASSED and not reading_carries(given):
        raise InvalidInput(
            "scores", "A pass needs 3 on average and nothing below 2; fail it, or waive it with a reason."
        )
    return given


def _link(text: str) -> str | None:
    text = clean_line("link", text, LONGEST_LINK)
    if text and (not text.startswith("https://") or " " in text):
        raise InvalidInput("link", "A link to evidence begins with https://.")
    return text or None
