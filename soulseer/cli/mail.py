"""flask mail failed | replay: messages that could not be sent."""

import click
from flask.cli import AppGroup

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import SoulSeerError
from soulseer.services import mail

group = AppGroup("mail", help="Mail to people.")


@group.command("failed")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def failed(limit: int) -> None:
    """List what was given up, newest first: number, template, when it was queued, why."""
    for row in mail.failed(limit):
        click.echo(f"{row.id}\t{row.template}\t{row.created_at.isoformat()}\t{row.error or ''}")


@group.command("replay")
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1), metavar="NUMBER...")
def replay(numbers: tuple[int, ...]) -> None:
    """Put messages that failed in line again; exit 1 if one of them could not be."""
    refused = 0
    for number in numbers:
        try:
            with transaction():
                mail.replay(number, clock.now())
        except SoulSeerError as error:
            refused += 1
            click.echo(f"{number}: {error.detail}", err=True)
        else:
            click.echo(f"{number}: queued")
    if refused:
        raise SystemExit(1)
