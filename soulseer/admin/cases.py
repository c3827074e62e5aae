"""Cases: what people and the house have flagged, taken, decided, undone, and looked at again on appeal."""

from datetime import date, datetime, timedelta
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words
from soulseer.admin.formats import age, badge, link
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, Forbidden, InvalidInput
from soulseer.domain.moderation import CANNED, POLICIES, REASONS, CaseState, Deed
from soulseer.services import (
    case_appeals,
    case_decisions,
    cases,
    console_cases,
    console_people,
    reports,
    suspensions,
)
from soulseer.services.case_decisions import Decision
from soulseer.services.console import Listed, Window, day_start
from soulseer.services.console_actions import last_signs
from soulseer.services.flag_kinds import declared, kind_of

TONES = {"open": "warning", "appealed": "danger", "decided": ""}


def _claimed(row: Any) -> Any:
    case = row.ModerationCase
    if case.claimed_until is None or case.claimed_until <= clock.now():
        return None
    return row.claimer


class CasesView(ListView):
    page = "cases"
    lead = "Flags on one thing are one case. The pressing first, then the oldest. Times are UTC."
    empty = "Nothing waits."
    column_list = ("id", "what", "kind", "reasons", "author", "flags", "state", "waits", "claimer")
    column_labels = {
        "id": "Case", "what": "Shows", "reasons": "Because", "author": "About", "claimer": "Taken by",
    }  # fmt: skip
    column_numeric = ("flags",)
    column_formatters = {
        "id": lambda view, context, row, name: link("cases", row.ModerationCase.id, row.ModerationCase.id),
        "what": lambda view, context, row, name: reports.about(row.snapshot or {})[:80],
        "kind": lambda view, context, row, name: kind_of(row.ModerationCase.kind).label,
        "reasons": lambda view, context, row, name: ", ".join(
            REASONS[code].label for code in row.reasons or ()
        ),
        "author": lambda view, context, row, name: link("people", row.author, row.ModerationCase.author_id),
        "flags": lambda view, context, row, name: row.ModerationCase.flag_count,
        "state": lambda view, context, row, name: badge(
            row.ModerationCase.state, TONES[row.ModerationCase.state]
        ),
        "waits": lambda view, context, row, name: age(row.ModerationCase.created_at, clock.now()),
        "claimer": lambda view, context, row, name: _claimed(row),
    }
    column_filters = (
        Choice("state", "State", list(CaseState)),
        Choice("kind", "Kind", [kind.code for kind in declared()]),
        Choice("reason", "Because", list(REASONS)),
        Words("about", "About", hint="handle or email"),
        Words("claimed_by", "Taken by", hint="handle or email"),
    )
    list_template = "admin/cases.html"

    def get_pk_value(self, model: Any) -> Any:
        return model.ModerationCase.id

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_cases.listing(window, **criteria)

    def show(self, id: int) -> str:
        now = clock.now()
        found = console_cases.shown(id, now)
        case = found.case
        taken = case.claimed_until is not None and case.claimed_until > now
        return self.render(
            "admin/case.html",
            now=now,
            shown=found,
            case=case,
            mine=taken and case.claimed_by == self.me(),
            taken=taken and case.claimed_by != self.me(),
            policies=POLICIES,
            canned=console_cases.canned_for(found.deeds),
            tones=TONES,
            audit=console_people.audit_of("moderation_case", id),
            earliest=(now + timedelta(days=1)).date(),
        )

    @staticmethod
    def me() -> int:
        return int(current_user.id)

    # Taking: no reason is asked, it is in the audit log all the same ------------------------------------------------------

    @expose("/next/", methods=("POST",))
    def next(self) -> ResponseReturnValue:
        actor = self.actor("claim_case")
        with transaction():
            case_id = cases.take_next(actor, clock.now())
        if case_id is None:
            flash("Nothing waits that is yours to decide.", "information")
            return redirect(self.get_url(".index_view"), 303)
        return redirect(self.get_url(".details_view", id=case_id), 303)

    @expose("/<int:id>/claim/", methods=("POST",))
    def claim(self, id: int) -> ResponseReturnValue:
        actor = self.actor("claim_case")
        try:
            with transaction():
                cases.claim(id, actor, clock.now())
        except (Conflict, Forbidden) as error:
            flash(error.detail, "error")
            return self.show(id), error.status
        return redirect(self.get_url(".details_view", id=id), 303)

    @expose("/<int:id>/release/", methods=("POST",))
    def release(self, id: int) -> ResponseReturnValue:
        actor = self.actor("claim_case")
        with transaction():
            cases.release(id, actor, clock.now())
        return redirect(self.get_url(".index_view"), 303)

    # Deciding -------------------------------------------------------------------------------------------------------------

    @expose("/<int:id>/decide/", methods=("POST",))
    def decide(self, id: int) -> ResponseReturnValue:
        actor = self.actor("decide_case")

        def deed(reason: str, now: datetime) -> str:
            decision = _decision(id, reason, now)
            signs = None
            if decision.deed in (Deed.SUSPEND, Deed.BAN):
                live = suspensions.live_session(console_cases.shown(id, now).case.author_id)
                signs = last_signs(live, now) if live is not None else None
            case_decisions.decide(id, actor, decision, now, signs)
            return f"Case {id}: {decision.deed.value.replace('_', ' ')}. Both sides are told."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/undo/", methods=("POST",))
    def undo(self, id: int) -> ResponseReturnValue:
        actor = self.actor("undo_case")

        def deed(reason: str, now: datetime) -> str:
            case_decisions.undo(id, actor, reason, now)
            return f"Case {id} is undone: all is as it was, and it waits again."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))

    @expose("/<int:id>/appeal/", methods=("POST",))
    def appeal(self, id: int) -> ResponseReturnValue:
        actor = self.actor("decide_appeal")

        def deed(reason: str, now: datetime) -> str:
            outcome = request.form.get("outcome", "")
            if outcome not in ("uphold", "overturn"):
                raise InvalidInput("outcome", "Uphold the decision, or overturn it.")
            answer = request.form.get("answer", "")
            overturn = outcome == "overturn"
            case_appeals.decide(id, actor, overturn=overturn, answer=answer, reason=reason, now=now)
            return f"Appeal in case {id}: {outcome}. Its author is told."

        return self.change(deed, lambda: self.show(id), self.get_url(".details_view", id=id))


def _decision(case_id: int, reason: str, now: datetime) -> Decision:
    """What the form says. Raises InvalidInput."""
    form = request.form
    try:
        deed = Deed(form.get("deed", ""))
    except ValueError:
        raise InvalidInput("deed", "Choose what to do.") from None
    fitting = [one.code for one in CANNED.values() if deed in one.deeds]
    chosen = form.get("canned", "")
    field, text = _edited(case_id, now) if deed is Deed.EDIT_OUT else ("", "")
    return Decision(
        deed,
        reason,
        policy=form.get("policy", ""),
        # The text that belongs to the decision, unless another fitting one was chosen.
        canned=chosen if chosen in fitting else next(iter(fitting), ""),
        words=form.get("words", ""),
        ends_at=_end_of(form.get("ends_on", "")) if deed is Deed.SUSPEND else None,
        field=field,
        text=text,
        also_hide=bool(form.get("also_hide")),
    )


def _edited(case_id: int, now: datetime) -> tuple[str, str]:
    """The one field that the moderator changed, and what it says now. Raises InvalidInput."""
    found = console_cases.shown(case_id, now)
    snapshot = found.thing.snapshot if found.thing else {}
    for field in found.kind.fields:
        text = request.form.get(f"edit_{field}")
        if text is not None and text.replace("\r\n", "\n").strip() != str(snapshot.get(field, "")).strip():
            return field, text
    raise InvalidInput("text", "Take out what breaks the rule: nothing was changed.")


def _end_of(day: str) -> datetime:
    """The end of a day, UTC. Raises InvalidInput."""
    try:
        return day_start(date.fromisoformat(day) + timedelta(days=1))
    except (ValueError, OverflowError):
        raise InvalidInput("ends_at", "Choose the last day of the suspension.") from None
