"""Checks every invariant of the books; what is wrong, or waits for a person, makes the run fail (docs/money.md)."""

from typing import Any

from soulseer.db import transaction
from soulseer.jobs.context import ERROR, JobContext
from soulseer.services import books_health, ledger, ledger_check


def run(context: JobContext) -> dict[str, Any]:
    """Run the checks of ``flask ledger check`` and raise an alert for each mismatch.

    Gives the mismatches, the open alerts, and as errors how many of both there are: a run with any is a failed run.
    """
    found = ledger_check.check()
    if not context.dry_run and found:
        with transaction():
            for mismatch in found:
                ledger.raise_alert(
                    f"ledger_check:{mismatch.invariant}",
                    f"{mismatch.subject}: {mismatch.detail}",
                    context.now,
                    reference=mismatch.subject,
                )
    with transaction():
        alerts = books_health.open_alerts()
    mismatches = [f"{mismatch.invariant}: {mismatch.subject}: {mismatch.detail}" for mismatch in found]
    if context.dry_run:
        return {"dry_run": True, "mismatches": mismatches, "alerts": alerts}
    return {"mismatches": mismatches, "alerts": alerts, ERROR: len(alerts)}
