"""A receipt as a PDF, for its two participants. All instants are UTC, amounts US dollars."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from soulseer.domain.readings import Role
from soulseer.gateways import pdf
from soulseer.models.readings import ReadingReceipt, ReadingSession
from soulseer.services.evidence_pack import dollars, instant
from soulseer.services.receipts import About, Line, LineKind, Receipt

LATER = {
    LineKind.CREDIT: "Unused time given back later",
    LineKind.REFUND: "Given back later",
    LineKind.CORRECTION: "Corrected by SoulSeer",
}


@dataclass(frozen=True)
class Printed:
    """What goes on paper. ``pauses`` are the words of a pause by its cause, ``address`` where its code is checked."""

    session: ReadingSession
    role: Role
    about: About
    receipt: Receipt
    row: ReadingReceipt
    pauses: Mapping[str, Mapping[str, str]]
    ended: str
    address: str


def spaced(code: str) -> str:
    """``ABCD-EFGH-JKLM``."""
    return "-".join(code[place : place + 4] for place in range(0, len(code), 4))


def file_name(code: str) -> str:
    return f"soulseer-receipt-{spaced(code)}.pdf"


def render(printed: Printed, now: datetime) -> bytes:
    """The receipt with every minute, pause and credit, its code, the address that confirms it, and its signature."""
    session, about, row = printed.session, printed.about, printed.row
    is_client = printed.role is Role.CLIENT
    code = spaced(row.code)
    made = pdf.Document("Receipt", f"SoulSeer, receipt {code}", now)
    made.facts(
        [
            ("Receipt", code),
            ("Reading", f"{session.id}, {session.modality}"),
            ("Client", about.client_name),
            ("Reader", about.reader_name),
            ("Began", instant(session.activated_at)),
            ("Ended", f"{instant(session.ended_at)}. {printed.ended}"),
            ("Price", f"{dollars(session.rate)} a minute"),
            ("Minutes", str(row.minutes)),
            ("Written", instant(row.issued_at)),
        ]
    )
    made.heading("Line by line")
    total = "You paid" if is_client else "You earned"
    rows = [_line(line, printed) for line in printed.receipt.lines]
    made.table(
        ("What", "When", total), [*rows, (total, "", dollars_signed(printed.receipt.total))], (6, 5, 3)
    )
    if printed.receipt.refunds:
        made.heading("After this receipt was written")
        later = [
            (LATER[line.kind], instant(line.at), dollars_signed(line.amount))
            for line in printed.receipt.refunds
        ]
        made.table(
            ("What", "When", ""),
            [*later, ("What is left", "", dollars_signed(printed.receipt.left))],
            (6, 5, 3),
        )
    if printed.receipt.tips:
        made.heading("Tips, beside the reading")
        tips = [
            (
                f"Tip of {dollars(tip.amount)}, {dollars(tip.earned)} of it to {about.reader_name}"
                + (f"; {dollars(tip.returned)} given back since" if tip.returned else ""),
                instant(tip.at),
                dollars_signed(tip.amount if is_client else tip.earned),
            )
            for tip in printed.receipt.tips
        ]
        made.table(("What", "When", ""), tips, (6, 5, 3))
    _proof(made, printed)
    return made.content()


def dollars_signed(amount: object) -> str:
    """``-$1.19`` for what was given back; a dash where nothing was charged."""
    return "–" if amount is None else str(f"{amount:+,.2f}").replace("+", "$").replace("-", "-$")


def _line(line: Line, printed: Printed) -> tuple[str, str, str]:
    if line.kind is LineKind.MINUTE:
        charged = f", charged {instant(line.charged_at)}" if line.charged_at != line.at else ""
        return f"Minute {line.minute}{charged}", instant(line.at), dollars_signed(line.amount)
    if line.kind is LineKind.PAUSE and line.cause is not None:
        seconds = int((line.until - line.at).total_seconds()) if line.until else 0
        words = f"{printed.pauses[line.cause]['title']}: {seconds // 60}:{seconds % 60:02} not charged"
        return words, instant(line.at), dollars_signed(None)
    return "Unused time given back", instant(line.at), dollars_signed(line.amount)


def _proof(made: pdf.Document, printed: Printed) -> None:
    row = printed.row
    made.heading("Is this genuine?")
    made.paragraph(
        "Anybody who has the code can see at this address whether the receipt is ours and whether our books still "
        "say the same:"
    )
    made.paragraph(printed.address)
    if row.signature is None:
        made.paragraph("This receipt was written before receipts were signed.", small=True)
        return
    made.paragraph(
        f"Signed with Ed25519 by the key {row.signing_key}. The signed statement and our public keys can be downloaded "
        f"from the receipt’s page and from {printed.address.split('/receipts/')[0]}/receipts/keys.json.",
        small=True,
    )
    made.paragraph(f"Signature: {row.signature}", small=True)
