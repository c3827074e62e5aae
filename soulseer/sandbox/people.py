"""The demo people, as plain data (contract.md, "Demo people")."""

import re
from dataclasses import dataclass

# Printable ASCII on both sides of one @, a dot in the domain: enough for a sandbox, and nothing that needs escaping.
_EMAIL = re.compile(r"[a-z0-9._%+-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_LONGEST_EMAIL = 254


@dataclass(frozen=True)
class DemoPerson:
    """One person whom the sandbox's OpenID provider lists; `roles` are granted by `flask demo seed`."""

    email: str
    subject: str
    name: str
    roles: tuple[str, ...]
    note: str


def normalise_email(text: str) -> str | None:
    """The address trimmed and in lower case, or None where it is no plain email address."""
    email = text.strip().lower()
    if len(email) > _LONGEST_EMAIL or ".." in email or not _EMAIL.fullmatch(email):
        return None
    return email


def subject_of(email: str) -> str:
    """The `sub` claim of a sandbox person: always `demo|` and the address."""
    return f"demo|{email}"


def email_of(subject: str) -> str | None:
    """The address inside a sandbox person's `sub`, or None where the subject is not of that form."""
    prefix, _, email = subject.partition("|")
    return normalise_email(email) if prefix == "demo" else None


def _person(local_part: str, name: str, roles: tuple[str, ...], note: str) -> DemoPerson:
    email = f"{local_part}@demo.test"
    return DemoPerson(email, subject_of(email), name, roles, note)


DEMO_PEOPLE: tuple[DemoPerson, ...] = (
    _person("client", "Clara Client", ("client",), "Wallet of $50.00, ready for a reading."),
    _person("broke", "Bruno Broke", ("client",), "Empty wallet: meets the 402 and the top-up."),
    _person(
        "reader", "Luna", ("reader",), "Verified and online; text 1.99, voice 2.99, video 3.99 a minute."
    ),
    _person("applicant", "Ada Applicant", ("reader",), "Has applied as a reader and waits for review."),
    _person("support", "Sam Support", ("support",), "Helps clients, issues refunds."),
    _person("moderator", "Mona Moderator", ("moderator",), "Works the flag queue."),
    _person("finance", "Finn Finance", ("finance",), "Reconciles the ledger, approves payouts."),
    _person("ops", "Olga Ops", ("ops",), "Watches and runs the jobs."),
    _person("admin", "Alma Admin", ("admin",), "Sees the whole back office."),
)

_BY_EMAIL = {person.email: person for person in DEMO_PEOPLE}


def person_for(email: str) -> DemoPerson:
    """The demo person with this (normalised) address, or a new one named after its local part, with no role."""
    known = _BY_EMAIL.get(email)
    if known is not None:
        return known
    name = re.sub(r"[^a-z0-9]+", " ", email.partition("@")[0]).strip().title() or email
    return DemoPerson(email, subject_of(email), name, (), "")
