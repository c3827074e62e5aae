"""The signed receipt: what it says, who may see what of it, and that nobody changes a cent of it unseen."""

import base64
import io
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import Connection, sql
from pypdf import PdfReader
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.gateways.signing import Seal, SigningGateway, UnknownKey
from soulseer.models.readings import ReadingReceipt
from tests import factories
from tests.afterwards.conftest import books_are_clean, give_back
from tests.readings.room import Room

OLD, NEW = f"old:{'o' * 43}", f"new:{'k' * 43}"
MOST_STATEMENTS = 6


def row_of(room: Room) -> ReadingReceipt:
    db.session.rollback()
    return db.session.scalars(
        select(ReadingReceipt).where(ReadingReceipt.reading_session_id == room.id)
    ).one()


def change(superuser: Connection, statement: str) -> None:
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute(sql.SQL(statement))  # type: ignore[arg-type]


def keys(monkeypatch: pytest.MonkeyPatch, *named: str) -> None:
    """Restart with these keys."""
    current = gateways.current()
    signing = SigningGateway(named, "secret")
    monkeypatch.setattr(gateways, "_current", gateways.Gateways(**{**vars(current), "signing": signing}))


def test_anybody_sees_that_it_is_genuine_and_no_more(finished, visitor, statements) -> None:
    room = finished()
    row = row_of(room)
    with statements() as found:
        page = visitor.get(f"/receipts/{row.code}/")
    assert len(found) <= MOST_STATEMENTS, found
    assert page.status_code == 200
    assert "This receipt is genuine" in page.text
    assert page.headers["X-Robots-Tag"] == "noindex"
    for shown in (room.client.handle, room.reader.display_name, "$4.78", "development"):
        assert shown in page.text
    # Nothing of the reader's part, the talk, or whom to write to.
    for hidden in (str(row.reader_part), row.signature, room.client.email, "You stepped out", "/readings/"):
        assert hidden not in page.text


def test_what_is_signed_can_be_checked_without_us(finished, sides, visitor) -> None:
    room = finished()
    client, _ = sides(room)
    answer = client.get(f"/readings/{room.id}/receipt.json")
    public = visitor.get("/receipts/keys.json").get_json()["keys"][answer.headers["X-Receipt-Key"]]

    def decoded(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    signature = decoded(answer.headers["X-Receipt-Signature"])
    Ed25519PublicKey.from_public_bytes(decoded(public)).verify(signature, answer.data)
    signed = json.loads(answer.data)
    assert (signed["minutes"], signed["charged"], signed["credited"], signed["total"]) == (
        3,
        "5.97",
        "1.19",
        "4.78",
    )
    assert (signed["session"], signed["modality"], signed["rate"]) == (room.id, "text", "1.99")
    assert signed["client_handle"] == room.client.handle
    assert signed["pauses"] == [["2026-11-20T12:01:35.000000Z", "2026-11-20T12:02:36.000000Z", "client_left"]]
    assert len(signed["minutes_charged_at"]) == 3
    assert len(signed["ledger_transactions"]) == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE reading_receipt SET total = total + 1, charged = charged + 1, platform_part = platform_part + 1",
         "What was charged: the receipt says 5.97, the books say 5.98"),
        ("UPDATE reading_minute SET amount = amount - 1, platform_part = platform_part - 1 WHERE minute = 2",
         "What was charged: the receipt says 5.97, the books say 5.96"),
        ("UPDATE reading_receipt SET statement = replace(statement, '\"total\":\"4.78\"', '\"total\":\"4.79\"')",
         "The signature does not belong to this receipt"),
        ("UPDATE reading_receipt SET signing_key = 'gone'", "is not known here any more"),
        ("DELETE FROM reading_minute WHERE minute = 3", "The minutes: the receipt says 3, the books say 2"),
        ("UPDATE reading_session_event SET effective_at = effective_at + interval '1 second' WHERE action = 'leave'",
         "The pauses"),
    ],
)  # fmt: skip
def test_one_cent_changed_by_hand_shows(finished, visitor, superuser, statement: str, words: str) -> None:
    room = finished()
    code = row_of(room).code
    change(superuser, statement)
    page = visitor.get(f"/receipts/{code}/").text
    assert "This does not agree" in page
    assert words in page
    assert "genuine" not in page


def test_a_receipt_from_before_signatures_is_compared_all_the_same(finished, visitor, superuser) -> None:
    code = row_of(finished()).code
    change(superuser, "UPDATE reading_receipt SET statement = NULL, signing_key = NULL, signature = NULL")
    assert "Our books agree" in visitor.get(f"/receipts/{code}/").text
    change(
        superuser,
        "UPDATE reading_receipt SET total = total + 1, charged = charged + 1, platform_part = platform_part + 1",
    )
    assert "This does not agree" in visitor.get(f"/receipts/{code}/").text


def test_what_is_given_back_later_stands_beneath_and_the_signature_holds(finished, sides, visitor) -> None:
    room = finished()
    signed = row_of(room).statement
    give_back(room, "1.00")
    row = row_of(room)
    assert row.statement == signed
    page = visitor.get(f"/receipts/{row.code}/").text
    assert "This receipt is genuine" in page
    for shown in ("$4.78", "Given back later", "−$1.00", "$3.78"):
        assert shown in page
    client, reader = sides(room)
    assert "After refunds" in client.get(f"/readings/{room.id}/").text
    assert "−$0.70" in reader.get(f"/readings/{room.id}/").text
    books_are_clean()


def test_codes_as_people_type_them(visitor, finished) -> None:
    code = row_of(finished()).code
    typed = f"{code[:4]}-{code[4:8]}-{code[8:]}".lower()
    assert "genuine" in visitor.get(f"/receipts/{typed}/").text
    led = visitor.get(f"/receipts/?code=%20{typed}%20")
    assert (led.status_code, led.location) == (303, f"/receipts/{code}/")
    assert visitor.get("/receipts/").status_code == 200
    odd = (
        "2222-3333-4444",
        "x",
        "%00",
        "<script>alert(1)</script>",
        "A" * 3000,
        "%F0%9F%92%A9",
        code[:-1],
        "ABCDEFGHIJKL",
    )
    for unknown in odd:
        for path in (f"/receipts/{unknown}/", f"/receipts/?code={unknown}"):
            answer = visitor.get(path)
            refusals = (303, 404) if "2222" in path else (404, 422)
            assert answer.status_code in refusals, (path, answer.status_code)
            assert "<script>alert" not in answer.text
    assert "No such receipt" in visitor.get("/receipts/222233334444/").text


def test_the_pdf_is_for_participants(finished, sides, browser, visitor) -> None:
    room = finished()
    give_back(room, "1.00")
    client, reader = sides(room)
    row = row_of(room)
    answer = client.get(f"/readings/{room.id}/receipt.pdf")
    assert answer.content_type == "application/pdf"
    words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages)
    flat = "".join(words.split())
    for shown in (
        "Minute 1", "Minute 3", "You stepped out", "1:01 not charged", "Unused time given back", "-$1.19", "$4.78",
        "Given back later", "-$1.00", "$3.78", f"/receipts/{row.code[:4]}-{row.code[4:8]}-{row.code[8:]}/", row.signature,
    ):  # fmt: skip
        assert "".join(str(shown).split()) in flat, shown
    theirs = PdfReader(io.BytesIO(reader.get(f"/readings/{room.id}/receipt.pdf").data))
    text = "".join("".join(page.extract_text() for page in theirs.pages).split())
    assert "Youearned" in text
    assert "$4.78" not in text
    for path in ("receipt.pdf", "receipt.json"):
        assert browser(factories.person()).get(f"/readings/{room.id}/{path}").status_code == 403
        assert visitor.get(f"/readings/{room.id}/{path}").status_code == 302
        assert client.get(f"/readings/{room.id + 1}/{path}").status_code == 404


def test_there_is_no_paper_before_the_receipt(finished, sides) -> None:
    room = finished(finalize=False)
    client, _ = sides(room)
    assert client.get(f"/readings/{room.id}/receipt.pdf").status_code == 404


def test_keys_are_replaced_without_losing_what_they_signed(finished, visitor, monkeypatch) -> None:
    keys(monkeypatch, OLD)
    first = row_of(finished())
    keys(monkeypatch, NEW, OLD)
    second = row_of(finished())
    assert (first.signing_key, second.signing_key) == ("old", "new")
    for code in (first.code, second.code):
        assert "genuine" in visitor.get(f"/receipts/{code}/").text
    keys(monkeypatch, NEW)
    assert "is not known here any more" in visitor.get(f"/receipts/{first.code}/").text
    assert "genuine" in visitor.get(f"/receipts/{second.code}/").text
    # Another key under the old one's name signs nothing that stands.
    keys(monkeypatch, f"old:{'x' * 42}E")
    assert "does not belong" in visitor.get(f"/receipts/{first.code}/").text


def test_a_seal_is_of_its_text_and_key_alone() -> None:
    signing = SigningGateway([NEW, OLD], "")
    seal = signing.sign("é\n")
    assert signing.holds("é\n", seal)
    assert not signing.holds("e\n", seal)
    assert not signing.holds("é\n", Seal("old", seal.signature))
    assert not signing.holds("é\n", Seal("new", "not base64 at all"))
    with pytest.raises(UnknownKey):
        signing.holds("é\n", Seal("third", seal.signature))
    assert SigningGateway([], "one").public_keys() != SigningGateway([], "two").public_keys()
