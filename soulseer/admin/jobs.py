"""The schedule: next slot, last run, lag, leader; and running a job now."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer import gateways
from soulseer.admin.base import Guarded
from soulseer.domain import clock
from soulseer.domain.errors import InvalidInput
from soulseer.domain.schedule import QUEUES, JobPlan, slot_at, slot_of
from soulseer.models.switches import JobPause
from soulseer.services import (
    billing_stops,
    console_actions,
    console_jobs,
    console_now,
    job_pauses,
    job_status,
    missed_slots,
)
from soulseer.services.console import Window
from soulseer.services.job_status import JobStatus


class JobsView(Guarded):
    page = "jobs"

    def __init__(self, name: str, category: str) -> None:
        super().__init__(name, category, endpoint="admin_jobs", url="jobs")

    @expose("/")
    def index_view(self) -> str:
        now = clock.now()
        pauses = job_pauses.standing(now)
        return self.render(
            "admin/jobs.html",
            now=now,
            lines=[line(status, now, pauses.get(status.job.name)) for status in job_status.statuses()],
            leader=job_status.leader(),
            queues=console_now.queues(),
            stop=billing_stops.standing(),
            missed=missed_slots.counts(now),
            given=request.form,
        )

    @expose("/<job>/")
    def details_view(self, job: str) -> str:
        return self.ask(console_jobs.plan(job))

    def ask(self, plan: JobPlan) -> str:
        """The page that asks for a run; what was typed stays in it."""
        return self.render(
            "admin/job.html",
            plan=plan,
            pause=job_pauses.of_job(plan.name, clock.now()),
            missed=missed_slots.spans(plan, clock.now()),
            latest=clock.now() + job_pauses.LONGEST,
            # The same key again is the same run: two clicks ask once.
            key=_key(request.form.get("key", "")) or uuid.uuid4(),
            given=request.form,
            runs=console_jobs.runs(Window(10), job=plan.name).rows,
        )

    @expose("/<job>/run/", methods=("POST",))
    def run(self, job: str) -> ResponseReturnValue:
        actor = self.actor("run_job")
        plan = console_jobs.plan(job)
        key = _key(request.form.get("key", ""))
        if key is None:
            abort(400, "The form came without its key: open the page anew.")
        dry_run = request.form.get("dry_run") == "1"
        # Nothing is recorded that nobody could be told of.
        gateways.current().queue.lengths(QUEUES)

        def deed(reason: str, now: Any) -> str:
            new = console_actions.request_run(plan, key, request.form, actor, reason, now, dry_run=dry_run)
            words = f"{'A dry run' if dry_run else 'A run'} of {plan.name}"
            return f"{words} was asked for." if new else f"{words} had been asked for; it is not run twice."

        return self.change(deed, lambda: self.ask(plan), self.get_url(".asked", key=key))

    @expose("/billing/stop/", methods=("POST",))
    def stop_billing(self) -> ResponseReturnValue:
        actor = self.actor("stop_billing")

        def deed(reason: str, now: datetime) -> str:
            billing_stops.stop(actor, reason, now)
            return (
                "All billing is stopped. Every page says so; readings are paused where their paid time ends."
            )

        return self.change(deed, self.index_view, self.get_url(".index_view"))

    @expose("/billing/resume/", methods=("POST",))
    def resume_billing(self) -> ResponseReturnValue:
        actor = self.actor("resume_billing")

        def deed(reason: str, now: datetime) -> str:
            billing_stops.lift(actor, reason, now)
            return "Minutes are charged again, and readings may begin and go on."

        return self.change(deed, self.index_view, self.get_url(".index_view"))

    @expose("/<job>/pause/", methods=("POST",))
    def pause(self, job: str) -> ResponseReturnValue:
        actor = self.actor("pause_job")
        plan = console_jobs.plan(job)

        def deed(reason: str, now: datetime) -> str:
            pause = job_pauses.pause(plan, instant_given(request.form.get("until", "")), actor, reason, now)
            return f"{plan.name} is paused until {pause.until:%Y-%m-%d %H:%M} UTC."

        return self.change(deed, lambda: self.ask(plan), self.get_url(".details_view", job=job))

    @expose("/<job>/resume/", methods=("POST",))
    def resume(self, job: str) -> ResponseReturnValue:
        actor = self.actor("resume_job")
        plan = console_jobs.plan(job)

        def deed(reason: str, now: datetime) -> str:
            job_pauses.resume(plan, actor, reason, now)
            return f"{plan.name} runs again from its next slot."

        return self.change(deed, lambda: self.ask(plan), self.get_url(".details_view", job=job))

    @expose("/asked/<uuid:key>/")
    def asked(self, key: uuid.UUID) -> ResponseReturnValue:
        found = console_jobs.request(key)
        if (
            found.run is not None
            and found.run.finished_at is not None
            and not request.headers.get("HX-Request")
        ):
            return redirect(self.get_url("admin_runs.details_view", id=found.run.id))
        template = "admin/asked_part.html" if request.headers.get("HX-Request") else "admin/asked.html"
        return self.render(template, asked=found)


def line(status: JobStatus, now: Any, pause: JobPause | None = None) -> dict[str, Any]:
    """What the schedule's table tells of one job."""
    plan, slot = status.job, status.last_slot
    began = slot_of(slot.slot) if slot else None
    interval = timedelta(seconds=plan.seconds())
    return {
        "plan": plan,
        "pause": pause,
        "last": status.last_run,
        "next": slot_at(plan, now) + interval,
        "lag": slot.started_at - began if slot and began else None,
        # Two slots missed, or never run: nobody works.
        "late": pause is None and (began is None or now - began > 3 * interval),
    }


def instant_given(text: str) -> datetime:
    """What a field for an instant holds, UTC. Raises InvalidInput (``until``)."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput("until", "Until: a day and a time are needed, UTC.") from None


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
