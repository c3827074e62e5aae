"""flask users set-role"""

import click
from flask.cli import AppGroup

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, NotFound, SoulSeerError
from soulseer.models.people import ROLES, Person
from soulseer.services import people

group = AppGroup("users", help="People and their roles.")


@group.command("set-role")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--remove", is_flag=True, help="Take the role away.")
@click.option("--subject", help="The `sub` of the one who is meant, where several sign in with this address.")
def set_role(email: str, role: str, remove: bool, subject: str | None) -> None:
    """Give ROLE to the person who signs in with EMAIL. Refused, with the candidates, where that is ambiguous."""
    try:
        with transaction():
            person = the_one_meant(email, subject)
            change = people.remove_role if remove else people.grant_role
            changed = change(person.id, role, clock.now(), reason="flask users set-role")
            roles = people.roles_of(person.id)
    except SoulSeerError as error:
        raise click.ClickException("\n".join([error.detail, *candidates(error)])) from None
    done = (
        ("removed" if remove else "granted")
        if changed
        else ("was not held" if remove else "was held already")
    )
    click.echo(
        f"{person.handle} ({person.email}): {role} {done}; roles: {', '.join(sorted(roles)) or 'none'}"
    )


def the_one_meant(email: str, subject: str | None) -> Person:
    """The person with this address (and subject). Raises NotFound, Conflict."""
    if subject is None:
        return people.the_one_with(email)
    found = [person for person in people.by_email(email) if person.subject == subject]
    if len(found) != 1:
        raise (Conflict if found else NotFound)(f"{len(found)} people sign in with {email} as {subject}.")
    return found[0]


def candidates(error: SoulSeerError) -> list[str]:
    """A line for each person that an ambiguous address may mean."""
    lines = [
        f"  --subject '{found['subject']}'  handle {found['handle']}, issuer {found['issuer']}"
        for found in error.extra.get("candidates", [])
    ]
    return ["Say who is meant:", *lines] if lines else []
