"""flask demo seed | token | env: demo people, their tokens, and where everything runs."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import click
from flask import current_app
from flask.cli import AppGroup

from config.settings import Settings
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import SoulSeerError
from soulseer.domain.readings import Modality
from soulseer.sandbox import environment
from soulseer.sandbox.people import DEMO_PEOPLE, normalise_email, subject_of
from soulseer.sandbox.tokens import mint_access_token
from soulseer.services import demo, demo_applications, demo_readings, plans
from soulseer.services.demo import DemoAccount, DemoReader

group = AppGroup("demo", help="Demo people and the sandbox's addresses; refused in production.")

PEOPLE_AT_ONCE = 5000
SESSIONS_AT_ONCE = 100
WALLET = Decimal("50.00")
RATES = {
    Modality.TEXT: Decimal("1.99"),
    Modality.VOICE: Decimal("2.99"),
    Modality.VIDEO: Decimal("3.99"),
}
LUNA = DemoReader(
    slug="luna",
    display_name="Luna",
    headline="Tarot by moonlight: a clear look at what you already half know.",
    specialties="Tarot, love and relationships, turning points",
    biography=(
        "I have laid cards for friends and strangers for twenty years, and I still shuffle slowly.\n\n"
        "Bring one question. We look at it from three sides, and you leave with a next step rather than a verdict. "
        "I do not predict illness, death or lottery numbers, and I will tell you so.\n\n"
        "(Luna is a demo reader.)"
    ),
    rates=RATES,
)
APPLICANT = DemoReader(
    slug="ada",
    display_name="Ada",
    headline="Numerology for beginnings.",
    specialties="Numerology",
    biography="",
    rates={},
    verified=False,
)
HANDLES = {"reader@demo.test": "luna"}
READERS = {"reader@demo.test": LUNA, "applicant@demo.test": APPLICANT}
ARTS = (
    ("Tarot", "The cards, without the theatre."),
    ("Astrology", "Your chart, read for this month."),
    ("Numerology", "Names and dates, counted with care."),
    ("Mediumship", "A quiet hour with those you miss."),
    ("Runes", "Three stones and a straight answer."),
    ("Dream reading", "What the night was trying to say."),
    ("Palmistry", "Lines, mounts and the story so far."),
)


@group.command("seed")
@click.option("--clients", type=click.IntRange(min=0), default=0, help="Further clients c1@demo.test …")
@click.option("--readers", type=click.IntRange(min=0), default=0, help="Further readers r1@demo.test …")
@click.option("--active", type=click.IntRange(min=0), default=0, help="Active sessions of ci with ri.")
def seed_command(clients: int, readers: int, active: int) -> None:
    """Add the demo people that are missing; what exists stays as it is."""
    settings = _not_in_production()
    if active > min(clients, readers):
        raise click.UsageError("--active needs as many --clients and --readers.")
    now = clock.now()
    added = 0
    for batch in _batches([_account(person.email) for person in DEMO_PEOPLE], clients, readers):
        with transaction():
            added += demo.add(batch, settings.issuer, now)
    with transaction():
        plans.seed(now)
        demo_applications.seed(subject_of("applicant@demo.test"), settings.issuer, now)
    if added > PEOPLE_AT_ONCE // 10:
        with transaction():
            demo.refresh_statistics()
    words = f"{added} demo people added"
    if active:
        words += f", {_activate(active, settings.issuer)} sessions brought to active"
    click.echo(f"{words}.")


@group.command("token")
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
def token_command(emails: tuple[str, ...]) -> None:
    """Print a bearer token of the sandbox's issuer for each person, one a line."""
    settings = _settings()
    if settings.production or not settings.sandbox:
        raise click.ClickException(
            "Tokens are made by the sandbox's issuer only, and this is not the sandbox."
        )
    for email in emails:
        if normalise_email(email) is None:
            raise click.ClickException(f"{email!r} is no email address.")
        token = mint_access_token(
            email, issuer=settings.issuer, audience=settings.auth0_audience, directory=settings.sandbox_dir
        )
        click.echo(token)


@group.command("env")
def env_command() -> None:
    """Print the addresses of all that runs, as KEY=VALUE lines."""
    settings = _not_in_production()
    values = {
        "DATABASE_URL": settings.database_url,
        "REPORTING_DATABASE_URL": settings.reporting_database_url,
        "REDIS_URL": settings.redis_url,
        "OIDC_ISSUER": settings.issuer,
        "STRIPE_API_BASE": settings.stripe_api_base,
        "STRIPE_WEBHOOK_SIGNING_SECRET": ",".join(settings.stripe_webhook_signing_secret),
        "AGORA_APP_ID": settings.agora_app_id,
        "AGORA_SECURITY_CERTIFICATE": settings.agora_security_certificate,
        "APP_BASE_URL": settings.app_base_url,
    }
    mailbox = environment.kept_value(settings.sandbox_dir, "MAILBOX_URL")
    if mailbox:
        values |= {"MAIL_URL": settings.mail_url, "MAILBOX_URL": mailbox}
    for name, value in values.items():
        click.echo(f"{name}={value}")


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings


def _not_in_production() -> Settings:
    settings = _settings()
    if settings.production:
        raise click.ClickException("There are no demo people in production.")
    if not settings.issuer:
        raise click.ClickException("OIDC_ISSUER: missing; a person is an issuer and a subject.")
    return settings


def _account(email: str) -> DemoAccount:
    person = next(person for person in DEMO_PEOPLE if person.email == email)
    return DemoAccount(
        email=email,
        subject=person.subject,
        handle=HANDLES.get(email, email.partition("@")[0]),
        roles=person.roles,
        wallet=WALLET if email == "client@demo.test" else Decimal("0.00"),
        reader=READERS.get(email),
    )


def _batches(named: list[DemoAccount], clients: int, readers: int) -> Iterator[Sequence[DemoAccount]]:
    yield named
    for count, make in ((clients, _client), (readers, _reader)):
        for first in range(1, count + 1, PEOPLE_AT_ONCE):
            yield [make(number) for number in range(first, min(first + PEOPLE_AT_ONCE, count + 1))]


def _client(number: int) -> DemoAccount:
    email = f"c{number}@demo.test"
    return DemoAccount(email, subject_of(email), f"c{number}", ("client",), WALLET)


def _reader(number: int) -> DemoAccount:
    email = f"r{number}@demo.test"
    art, headline = ARTS[number % len(ARTS)]
    profile = DemoReader(
        f"r{number}",
        f"Demo Reader {number}",
        headline,
        art,
        "A demo reader, made for trying and load.",
        RATES,
    )
    return DemoAccount(email, subject_of(email), f"r{number}", ("reader",), reader=profile)


def _activate(count: int, issuer: str) -> int:
    """Bring the sessions of the first ``count`` pairs to active; how many were. Stops at the first refusal."""
    wanted = [(subject_of(f"c{n}@demo.test"), subject_of(f"r{n}@demo.test")) for n in range(1, count + 1)]
    brought = 0
    for first in range(0, count, SESSIONS_AT_ONCE):
        with transaction():
            pairs = demo_readings.free_pairs(wanted[first : first + SESSIONS_AT_ONCE], issuer)
        now = clock.now()
        try:
            with transaction():
                for pair in pairs:
                    demo_readings.activate(pair, now)
        except SoulSeerError as error:
            raise click.ClickException(f"A session could not be started: {error.detail}") from error
        brought += len(pairs)
    return brought
