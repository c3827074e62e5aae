"""flask audit verify"""

import json
import re

import click
from flask.cli import AppGroup

from soulseer.domain import clock
from soulseer.services import audit_chain

group = AppGroup("audit", help="The audit log.")
_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


def _known(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, str] | None:
    if value is None:
        return None
    found = _HEAD.fullmatch(value)
    if found is None:
        raise click.BadParameter("a place and its hash are needed, as 1204:9f…")
    return int(found[1]), found[2]


@group.command("verify")
@click.option("--head", "known", callback=_known, help="A place and its hash as the log noted them: 1204:9f…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(known: tuple[int, str] | None, as_json: bool) -> None:
    """Walk the chain of the audit log: exit 0 clean, 3 with every row that is not as it was chained."""
    last, faults = audit_chain.verify(clock.now(), known)
    if as_json:
        answer = {"clean": not faults, "position": last.position, "hash": last.hash}
        click.echo(json.dumps({**answer, "faults": [vars(fault) for fault in faults]}))
    else:
        for fault in faults:
            click.echo(
                f"{fault.kind}: place {fault.position or '–'}, entry {fault.entry or '–'}: {fault.detail}"
            )
        click.echo(f"{last.position} entries, {f'{len(faults)} faults' if faults else 'clean'}")
        click.echo(f"head {last.position}:{last.hash}")
    if faults:
        raise SystemExit(3)
