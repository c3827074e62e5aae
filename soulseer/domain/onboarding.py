"""How somebody becomes a reader: the states of an application, the steps that they fill in, the list that staff check.

Ages and dates are whole days, UTC. All of it is pure; services/applications*.py keep it in the database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from soulseer.domain.errors import Conflict


class Stage(StrEnum):
    """Where an application stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    MORE_WANTED = "more_wanted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Act(StrEnum):
    """What moves it: the applicant submits, answers, withdraws; staff do the rest."""

    SUBMIT = "submit"
    REVIEW = "review"
    ASK_MORE = "ask_more"
    ANSWER = "answer"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"


_OPEN_MOVES = {
    (Stage.DRAFT, Act.SUBMIT): Stage.SUBMITTED,
    (Stage.SUBMITTED, Act.REVIEW): Stage.IN_REVIEW,
    (Stage.IN_REVIEW, Act.ASK_MORE): Stage.MORE_WANTED,
    (Stage.MORE_WANTED, Act.ANSWER): Stage.IN_REVIEW,
    (Stage.IN_REVIEW, Act.APPROVE): Stage.APPROVED,
    (Stage.IN_REVIEW, Act.REJECT): Stage.REJECTED,
    # Who was asked and never answers is not kept waiting for ever.
    (Stage.MORE_WANTED, Act.REJECT): Stage.REJECTED,
}
WITHDRAWABLE = (Stage.DRAFT, Stage.SUBMITTED, Stage.IN_REVIEW, Stage.MORE_WANTED)
MOVES = _OPEN_MOVES | {(stage, Act.WITHDRAW): Stage.WITHDRAWN for stage in WITHDRAWABLE}
# Of these a person has one at most.
OPEN = WITHDRAWABLE
# What waits for staff, then what waits for the applicant: the columns of the board.
BOARD = (Stage.SUBMITTED, Stage.IN_REVIEW, Stage.MORE_WANTED)


class IllegalStage(Conflict):
    code, title = "illegal_stage", "The application does not allow this now"


def next_stage(stage: Stage, act: Act) -> Stage:
    """Where ``act`` leads from ``stage``. Raises IllegalStage."""
    try:
        return MOVES[stage, act]
    except KeyError:
        said = str(act).replace("_", " ")
        raise IllegalStage(
            f"This application is {str(stage).replace('_', ' ')}: “{said}” is not possible."
        ) from None


# What the applicant fills in ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A page of the application. ``fields``: (name, label) of what stands on it; ``needed``: before it can be submitted."""

    name: str
    title: str
    lead: str
    fields: tuple[tuple[str, str], ...]
    needed: bool = True


STEPS = (
    Step(
        "identity",
        "Who you are",
        "Only the people who look at your application see this, never your clients.",
        (
            ("legal_name", "Legal name"),
            ("country", "Country"),
            ("birth_date", "Date of birth"),
            ("identity_file_id", "Identity document"),
            ("identity_expires_on", "The document’s last day"),
        ),
    ),
    Step(
        "profile",
        "Your page",
        "What clients will read. You can change it later.",
        (
            ("display_name", "Name"),
            ("slug", "Address of your page"),
            ("languages", "Languages"),
            ("specialties", "Arts and topics"),
            ("about", "About you"),
            ("photo_file_id", "Photo"),
        ),
    ),
    Step(
        "sample",
        "A sample reading",
        "Answer the question below as you would answer a client.",
        (("sample", "Sample reading"),),
    ),
    Step(
        "agreement",
        "The agreement",
        "What you and SoulSeer promise each other.",
        (("agreement_version", "The agreement"),),
    ),
    Step(
        "tax",
        "Tax form",
        "We keep which form you signed and until when it holds. No tax number is kept here.",
        (("tax_form", "Tax form"), ("tax_signed_on", "Day of the signature")),
    ),
    Step(
        "payout",
        "Payouts",
        "Stripe sends the money, and needs to know you before it does. You can do this now or later.",
        (("payout", "Account at Stripe"),),
        needed=False,
    ),
)
_STEPS = {step.name: step for step in STEPS}
STEP_NAMES = tuple(_STEPS)
FIELDS = {name: label for step in STEPS for name, label in step.fields}


def step_called(name: str) -> Step:
    """The step of this name. Raises KeyError."""
    return _STEPS[name]


def step_of(field: str) -> Step:
    """The step that a field stands on. Raises KeyError."""
    for step in STEPS:
        if field in dict(step.fields):
            return step
    raise KeyError(field)


def open_steps(stage: Stage, wanted: Iterable[str]) -> tuple[str, ...]:
    """The steps that the applicant may change now: all of a draft, those with something wanted, and, once approved, what
    runs out with time. ``wanted`` are names of FIELDS."""
    if stage is Stage.DRAFT:
        return STEP_NAMES
    if stage is Stage.MORE_WANTED:
        named = {step_of(field).name for field in wanted}
        return tuple(name for name in STEP_NAMES if name in named)
    return ("tax", "payout") if stage is Stage.APPROVED else ()


LANGUAGES = {
    "en": "English", "es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "pl": "Polish", "ro": "Romanian", "el": "Greek", "tr": "Turkish", "ru": "Russian",
    "uk": "Ukrainian", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi", "zh": "Chinese", "ja": "Japanese", "ko": "Korean",
}  # fmt: skip
YOUNGEST = 18
OLDEST = 120


def age_on(born: date, day: date) -> int:
    """Whole years from ``born`` to ``day``; who was born on 29 February is older on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


AGREEMENT_VERSION = "2026-11"
AGREEMENT = (
    ("Honest work", "You read yourself, live, as the person that your page names. You promise nobody an outcome, and you "
     "give no medical, legal or financial advice."),
    ("Care", "You stop and point to help where a client is in danger. You are kind to those who are unsure, and you never "
     "frighten anybody into another reading."),
    ("On SoulSeer", "You exchange no contact details and take no money outside SoulSeer. What clients tell you stays with you."),
    ("Money", "You set your rates. Your share of each paid minute stands on your dashboard before you begin. Refunds and fair "
     "credits are borne by both, in the same share."),
    ("Independence", "You work on your own account, when and as much as you like, and you pay your own taxes."),
)  # fmt: skip

TAX_FORMS = {
    "w9": "W-9: I am a US person",
    "w8ben": "W-8BEN: I am not a US person",
}
TAX_FORM_NAMES = {code: words.partition(":")[0] for code, words in TAX_FORMS.items()}


def tax_form_expires(form: str, signed: date) -> date | None:
    """The last day of a signed form: a W-8BEN holds until the end of the third calendar year after its signature
    (https://www.irs.gov/instructions/iw8ben); a W-9 until something changes (None)."""
    return date(signed.year + 3, 12, 31) if form == "w8ben" else None


# What staff check ------------------------------------------------------------------------------------------------------


class Item(StrEnum):
    IDENTITY = "identity"
    INTERVIEW = "interview"
    TEST_READING = "test_reading"
    AGREEMENT = "agreement"
    PAYOUT = "payout"


ITEMS = {
    Item.IDENTITY: "The document shows the legal name, the date of birth and a face, and it has not run out.",
    Item.INTERVIEW: "A talk by video: the face is the document’s, the rules are understood.",
    Item.TEST_READING: "A reading with a member of staff, scored by the four criteria.",
    Item.AGREEMENT: "The present version is accepted.",
    Item.PAYOUT: "Stripe may send money, and the tax form is signed.",
}


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"


CRITERIA = {
    "presence": "Listens and stays with the question",
    "clarity": "Says clearly what they see",
    "care": "Is kind, frightens nobody",
    "limits": "Keeps the limits: no promises, no advice of other trades",
}
LOWEST_SCORE, HIGHEST_SCORE = 1, 5


def reading_carries(scores: Mapping[str, int]) -> bool:
    """Whether the scores (1 to 5, by criterion) carry: 3 on average, and nothing below 2."""
    values = [scores[name] for name in CRITERIA]
    return min(values) >= 2 and sum(values) >= 3 * len(values)


def open_items(outcomes: Mapping[Item, Outcome]) -> list[Item]:
    """The items that still stand between an application and its approval: neither passed nor waived."""
    return [item for item in Item if outcomes.get(item) not in (Outcome.PASSED, Outcome.WAIVED)]


REJECTIONS = {
    "identity": "We could not make sure who you are",
    "under_age": f"Readers are at least {YOUNGEST} years old",
    "test_reading": "The test reading was not there yet",
    "interview": "The talk raised doubts that remain",
    "conduct": "Something known to us speaks against it",
    "incomplete": "What we asked for did not come",
    "full": "There are enough readers of this kind for now",
}
LONGEST_WAIT_DAYS = 730


# What may be closed again ---------------------------------------------------------------------------------------------


class Gate(StrEnum):
    """``listed``: clients find and ring the reader. ``payable``: what is earned is paid out. Each by itself."""

    LISTED = "listed"
    PAYABLE = "payable"


class Paper(StrEnum):
    """What a reader must keep valid."""

    IDENTITY_DOCUMENT = "identity_document"
    TAX_FORM = "tax_form"
    CONNECT = "connect"


PAPERS = {
    Paper.IDENTITY_DOCUMENT: ("identity document", Gate.LISTED),
    Paper.TAX_FORM: ("tax form", Gate.PAYABLE),
    Paper.CONNECT: ("details that Stripe asks for", Gate.PAYABLE),
}
# Days before the last one at which mail goes out; and how long somebody has for what Stripe newly asks.
WARNINGS = (30, 7)
CONNECT_DAYS = 30


def warning_due(expires_on: date, today: date, warned: int | None) -> int | None:
    """The warning (days before the end) that is due ``today``, None where there is none or it went out (``warned`` is the
    last that did). A sweep that slept through the first sends the second alone."""
    left = (expires_on - today).days
    due = min((days for days in WARNINGS if left <= days), default=None)
    return due if due is not None and left >= 0 and (warned is None or due < warned) else None
