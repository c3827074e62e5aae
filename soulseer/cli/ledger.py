"""flask ledger check"""

import json

import click
from flask.cli import AppGroup

from soulseer.services import ledger_check

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
