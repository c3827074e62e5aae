"""The schedule: next slot, last run, lag, leader; and running a job now."""

import uuid
from datetime import timedelta
from typing import Any

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from soulseer import gateways
from soulseer.admin.base import Guarded
from soulseer.domain import clock
from soulseer.domain.schedule import QUEUES, JobPlan, slot_at, slot_of
from soulseer.services import console_actions, console_jobs, console_now, job_status
from soulseer.services.console import Window
from soulseer.services.job_status import JobStatus


class JobsView(Guarded):
    page = "jobs"

    def __init__(self, name: str, category: str) -> None:
        super().__init__(name, category, endpoint="admin_jobs", url="jobs")

    @expose("/")
    def index_view(self) -> str:
        now = clock.now()
        return self.render(
            "admin/jobs.html",
            now=now,
            lines=[line(status, now) for status in job_status.statuses()],
            leader=job_status.leader(),
            queues=console_now.queues(),
        )

    @expose("/<job>/")
    def details_view(self, job: str) -> str:
        return self.ask(console_jobs.plan(job))

    def ask(self, plan: JobPlan) -> str:
        """The page that asks for a run; what was typed stays in it."""
        return self.render(
            "admin/job.html",
            plan=plan,
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


def line(status: JobStatus, now: Any) -> dict[str, Any]:
    """What the schedule's table tells of one job."""
    plan, slot = status.job, status.last_slot
    began = slot_of(slot.slot) if slot else None
    interval = timedelta(seconds=plan.seconds())
    return {
        "plan": plan,
        "last": status.last_run,
        "next": slot_at(plan, now) + interval,
        "lag": slot.started_at - began if slot and began else None,
        # Two slots missed, or never run: nobody works.
        "late": began is None or now - began > 3 * interval,
    }


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
