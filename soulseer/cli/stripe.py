"""flask stripe setup: what the payment service must have before anybody can subscribe."""

import json
from collections.abc import Iterator

import click
from flask.cli import AppGroup

from soulseer.domain import clock
from soulseer.domain.errors import VendorError
from soulseer.services import stripe_setup
from soulseer.services.stripe_handlers import HANDLERS
from soulseer.services.stripe_setup import Step

group = AppGroup("stripe", help="The payment service.")


@group.command("setup")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def setup(dry_run: bool, as_json: bool) -> None:
    """Make the products, prices and the webhook endpoint that are missing at Stripe; as often as one likes.

    The signing secret of a new endpoint is printed this once: put it into STRIPE_WEBHOOK_SIGNING_SECRET.
    """
    done: list[Step] = []
    failure = ""
    for step in _steps(dry_run):
        if isinstance(step, str):
            failure = step
            break
        done.append(step)
        if not as_json:
            _tell(step)
    if as_json:
        answer = {"dry_run": dry_run, "steps": [vars(step) for step in done], "error": failure or None}
        click.echo(json.dumps(answer))
    if failure:
        raise click.ClickException(f"{failure} What was done stays; run it again to go on.")


def _steps(dry_run: bool) -> Iterator[Step | str]:
    """Each step; at last the words of what stopped it, if anything did."""
    try:
        yield from stripe_setup.run(HANDLERS, clock.now(), dry_run=dry_run)
    except VendorError as error:
        yield error.detail


def _tell(step: Step) -> None:
    name = f" {step.id}" if step.id else ""
    click.echo(f"{step.object}{name} ({step.name}): {step.did}")
    if step.secret:
        click.echo(f"STRIPE_WEBHOOK_SIGNING_SECRET={step.secret}")
        click.echo("This secret is not shown again. Add it to the environment before events come in.")
