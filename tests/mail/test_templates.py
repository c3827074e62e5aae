"""Every message that the product can queue has a template, and every template can be read."""

import re
from pathlib import Path

import pytest
from flask import Flask

from soulseer.services import mail_texts
from soulseer.services.mail_texts import TEMPLATES, write

TEXTS = sorted((TEMPLATES / "email").glob("*.txt"))
SOURCES = Path(__file__).resolve().parents[2] / "soulseer"
QUEUED = re.compile(r"mail\.queue\(\s*[^,]+,\s*\"([a-z_]+)\"")


@pytest.mark.parametrize(
    "path", [path for path in TEXTS if path.name != "base.txt"], ids=lambda path: path.stem
)
def test_a_template_begins_with_its_subject_and_is_no_program(path: Path) -> None:
    source = path.read_text("utf-8")
    assert re.match(r"Subject: \S[^\n]*\n\n\S", source), "Subject, an empty line, the text"
    environment = mail_texts._environments()[0]
    environment.parse(source)
    page = path.with_suffix(".html")
    if page.exists():
        assert 'extends "email/base.html"' in page.read_text("utf-8")


def test_everything_that_is_queued_by_name_has_a_template() -> None:
    named = {name for file in SOURCES.rglob("*.py") for name in QUEUED.findall(file.read_text("utf-8"))}
    assert len(named) > 5
    assert sorted(named - {path.stem for path in TEXTS}) == []


def test_the_text_becomes_paragraphs_with_links(migrated_app: Flask) -> None:
    written = write(
        "top_up_failed",
        {"amount": "25.00", "begun_at": "2026-11-20T12:00:00+00:00"},
        handle="a&b",
        time_zone="UTC",
    )
    assert written.subject == "Your top-up of $25.00 did not go through"
    assert "Hello a&amp;b" in written.html
    assert "Hello a&b" in written.text
    assert written.html.count("<p>") == 3
    assert re.search(r'<a href="[^"]*/wallet/#top-up">', written.html)


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", ""])
def test_a_zone_that_is_not_known_is_utc(zone: str) -> None:
    written = write(
        "top_up_failed",
        {"amount": "1.00", "begun_at": "2026-11-20T12:00:00+00:00"},
        handle="a",
        time_zone=zone,
    )
    assert "20 Nov 2026, 12:00 UTC" in written.text
