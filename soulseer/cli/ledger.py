"""flask ledger check | reconcile"""

import json
from typing import Any

import click
from flask.cli import AppGroup

from soulseer.db import transaction
from soulseer.domain.money import from_cents
from soulseer.jobs import runner
from soulseer.models.reconciliation import ReconciliationRun
from soulseer.services import ledger_check, reconciliation

group = AppGroup("ledger", help="The books.")


@group.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(as_json: bool) -> None:
    """Check every invariant of the ledger: exit 0 clean, 3 with the mismatches listed."""
    found = ledger_check.check()
    names = [name for name, _ in ledger_check.CHECKS] + ["movements_are_declared"]
    if as_json:
        click.echo(
            json.dumps(
                {"clean": not found, "checks": names, "mismatches": [vars(mismatch) for mismatch in found]}
            )
        )
    else:
        for mismatch in found:
            click.echo(f"{mismatch.invariant}: {mismatch.subject}: {mismatch.detail}")
        click.echo(
            f"{len(names)} checks, {len(found)} mismatches" if found else f"{len(names)} checks, clean"
        )
    if found:
        raise SystemExit(3)


@group.command("reconcile")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    help="Read Stripe's list again so far back, and compare all there is.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reconcile(days: int | None, as_json: bool) -> None:
    """Compare the books with Stripe's own list: exit 0 if every cent is explained, 3 if not."""
    counts = runner.run(runner.Request("reconcile", arguments={"days": str(days)} if days else {}))
    with transaction():
        run = reconciliation.latest()
    if run is None or not counts or counts.get("reconciliation") != run.id:
        raise click.ClickException((counts or {}).get("skipped", "nothing was compared"))
    summary = _summary(run)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        for name, value in summary.items():
            if name != "open_differences":
                click.echo(f"{name.replace('_', ' '):<18} {value}")
        for name, part in summary["open_differences"].items():
            click.echo(f"open: {name:<12} {part['count']} over {part['amount']}")
    if run.unexplained:
        raise SystemExit(3)


def _summary(run: ReconciliationRun) -> dict[str, Any]:
    """A run's row; amounts are strings of dollars, Stripe's less ours."""
    amounts = (
        "ledger_balance",
        "stripe_available",
        "stripe_pending",
        "gap",
        "explained",
        "unexplained",
        "unaccounted",
    )
    return {
        "reconciliation": run.id,
        "at": run.at.isoformat(),
        "imported": run.imported,
        "booked": run.booked,
        "compared": run.compared,
        "differing": run.differing,
        **{name: str(getattr(run, name)) for name in amounts},
        "open_differences": {
            name: {"count": part["count"], "amount": str(from_cents(part["cents"]))}
            for name, part in run.open_by_class.items()
        },
    }
