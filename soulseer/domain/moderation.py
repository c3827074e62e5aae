"""Words of safety: why something is flagged, what moderators decide, under which policy and in which words.

``priority`` orders the queue (higher is sooner). Weights are thousandths of one sure reporter.
"""

from dataclasses import dataclass
from enum import StrEnum


class CaseState(StrEnum):
    """``open`` waits for a moderator, ``appealed`` for another one than the one who decided."""

    OPEN = "open"
    DECIDED = "decided"
    APPEALED = "appealed"


CASE_MOVES = (
    (CaseState.OPEN, CaseState.DECIDED),
    (CaseState.DECIDED, CaseState.OPEN),
    (CaseState.DECIDED, CaseState.APPEALED),
    (CaseState.APPEALED, CaseState.DECIDED),
)


class Deed(StrEnum):
    """What is done about a case. ``auto_hide`` is the house's, until somebody has looked."""

    AUTO_HIDE = "auto_hide"
    DISMISS = "dismiss"
    HIDE = "hide"
    EDIT_OUT = "edit_out"
    WARN = "warn"
    STRIKE = "strike"
    SUSPEND = "suspend"
    BAN = "ban"


# What a moderator chooses from, mildest first.
DECISIONS = (Deed.DISMISS, Deed.HIDE, Deed.EDIT_OUT, Deed.WARN, Deed.STRIKE, Deed.SUSPEND, Deed.BAN)


class Outcome(StrEnum):
    """What a flag came to."""

    UPHELD = "upheld"
    DISMISSED = "dismissed"


class AppealState(StrEnum):
    OPEN = "open"
    UPHELD = "upheld"
    OVERTURNED = "overturned"


@dataclass(frozen=True)
class Reason:
    """Why something is flagged. ``people``: whether people may choose it, or only the house."""

    code: str
    label: str
    priority: int
    people: bool = True


_REASONS = (
    Reason("danger", "Somebody may be in danger", 100),
    Reason("minor", "Somebody may be under age", 95),
    Reason("crisis", "Words of a crisis were used", 90, people=False),
    Reason("threat", "Threats or blackmail", 90),
    Reason("sexual", "Sexual content", 70),
    Reason("hate", "Hate or harassment", 70),
    Reason("private_data", "Somebody's private data", 65),
    Reason("fraud", "Cheating or pressure to pay", 60),
    Reason("false_identity", "Not who they say they are", 50),
    Reason("promises", "Medical, legal or financial promises", 45),
    Reason("insult", "Insults or rudeness", 40),
    Reason("off_platform", "Asks to meet or pay elsewhere", 40),
    Reason("contact_details", "Contact details were shared", 30, people=False),
    Reason("spam", "Advertising or spam", 20),
    Reason("other", "Something else", 10),
)
REASONS = {reason.code: reason for reason in _REASONS}
REASONS_FOR_PEOPLE = tuple(reason for reason in _REASONS if reason.people)

# The rule that a decision rests on, as it is told to both sides.
POLICIES = {
    "safety": "Safety: no threats, no blackmail, nobody is put in danger",
    "respect": "Respect: no hate, no harassment, no insults",
    "decency": "Decency: no sexual content, nobody under age",
    "honesty": "Honesty: no cheating, no false identity, no promises that nobody can keep",
    "privacy": "Privacy: nobody's private data",
    "platform": "On SoulSeer: no contact details, meetings or payments elsewhere, no advertising",
}


@dataclass(frozen=True)
class Canned:
    """A text for the author, for some decisions."""

    code: str
    label: str
    text: str
    deeds: tuple[Deed, ...]


_CANNED = (
    Canned("nothing_wrong", "Nothing wrong", "We looked at it and found nothing against our rules.", (Deed.DISMISS,)),
    Canned("not_enough", "Not enough to decide", "We looked at it and found too little to act on.", (Deed.DISMISS,)),
    Canned("hidden", "Hidden", "It breaks the rule named here and is no longer shown.", (Deed.HIDE,)),
    Canned("edited", "Edited", "A part of it broke the rule named here and was taken out.", (Deed.EDIT_OUT,)),
    Canned("please_stop", "Please stop", "Please do not do this again. This time it stays at these words.", (Deed.WARN,)),
    Canned("strike", "A strike", "This counts as a strike. Three strikes within a few months can lead to a suspension.", (Deed.STRIKE,)),
    Canned("pause", "A pause", "Your account is suspended until the date named here.", (Deed.SUSPEND,)),
    Canned("goodbye", "For good", "Your account is closed for good. What is in your wallet or earned remains yours; write to support about it.", (Deed.BAN,)),
)  # fmt: skip
CANNED = {canned.code: canned for canned in _CANNED}

# A reporter of whom nothing is known yet; the house's own flags count the same.
NEW_REPORTER = 500


def weight_of(upheld: int, dismissed: int) -> int:
    """How much a reporter's flag weighs, thousandths: their share of upheld flags, one of each assumed beforehand."""
    return 1000 * (upheld + 1) // (upheld + dismissed + 2)
