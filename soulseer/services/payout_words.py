"""Stripe's codes about connected accounts in words that a reader understands; unknown ones are still readable.

Codes: https://docs.stripe.com/api/accounts/object (requirements) and https://docs.stripe.com/connect/handle-verification-updates.
"""

import re
from collections.abc import Iterable

# Without the person it is about (``individual.``, ``person_…``, ``company.``, ``representative.``).
_NEEDED = {
    "external_account": "A bank account or debit card to pay to",
    "business_type": "Whether you work as a person or as a company",
    "business_profile.mcc": "What kind of business you do",
    "business_profile.url": "Your website, or the address of your SoulSeer page",
    "business_profile.product_description": "What you offer, in a sentence",
    "tos_acceptance.date": "Your agreement to Stripe’s terms",
    "tos_acceptance.ip": "Your agreement to Stripe’s terms",
    "first_name": "Your first name",
    "last_name": "Your last name",
    "name": "The legal name",
    "email": "Your email address",
    "phone": "Your phone number",
    "dob": "Your date of birth",
    "address": "Your home address",
    "ssn_last_4": "The last four digits of your Social Security number",
    "id_number": "Your Social Security or tax number",
    "tax_id": "The tax number",
    "verification.document": "A photo of your passport, identity card or driving licence",
    "verification.additional_document": "A second document, such as a utility bill with your address",
    "verification.proof_of_liveness": "A selfie that shows it is you",
    "relationship.title": "Your position in the company",
}
_SUBJECT = re.compile(r"^(individual|company|representative|owners|directors|person_[A-Za-z0-9]+)\.")

_DISABLED = {
    "requirements.past_due": "Stripe needs details from you before it pays you.",
    "requirements.pending_verification": "Stripe is checking the details that you gave. This takes up to a few days.",
    "action_required.requested_capabilities": "Stripe needs you to finish setting up payouts.",
    "listed": "Stripe is comparing your details with a list of restricted people. It will decide by itself.",
    "under_review": "Stripe is reviewing your account.",
    "platform_paused": "SoulSeer has paused your account at Stripe. Please write to support.",
    "rejected.fraud": "Stripe has closed your account. Please write to support.",
    "rejected.incomplete_verification": "Stripe could not verify your details and has closed your account. Please write to support.",
    "rejected.listed": "Stripe has closed your account. Please write to support.",
    "rejected.other": "Stripe has closed your account. Please write to support.",
    "rejected.platform_fraud": "Stripe has closed your account. Please write to support.",
    "rejected.platform_other": "Stripe has closed your account. Please write to support.",
    "rejected.platform_terms_of_service": "Stripe has closed your account. Please write to support.",
    "rejected.terms_of_service": "Stripe has closed your account. Please write to support.",
}


def needed(code: str) -> str:
    """What a requirement's code asks for."""
    bare = _SUBJECT.sub("", code)
    for name in (code, bare, *_shorter(bare)):
        if name in _NEEDED:
            return _NEEDED[name]
    words = re.sub(r"[._]+", " ", bare).strip() or code
    return words[:1].upper() + words[1:]


def all_needed(codes: Iterable[str]) -> list[str]:
    """The same for several, each thing once, in Stripe's order."""
    return list(dict.fromkeys(needed(code) for code in codes))


def disabled(reason: str) -> str:
    """Why Stripe pays nothing out."""
    words = _DISABLED.get(reason)
    return words or f"Stripe has paused payouts to you ({re.sub(r'[._]+', ' ', reason)})."


def _shorter(code: str) -> list[str]:
    """``dob.day`` also as ``dob``, ``verification.document.front`` also as ``verification.document``."""
    parts = code.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
