"""Tell me when free: once, to everybody who asked, and never later than a day."""

import pytest
from flask import Flask

from soulseer.db import transaction
from soulseer.services import reader_settings, waiting, waiting_view
from tests import factories
from tests.readings.room import at
from tests.readings.test_races import at_once
from tests.waiting.scene import Busy, bell, block, mails

pytestmark = pytest.mark.usefixtures("app")
DAY = 86_400


def ask(client_id: int, slug: str, second: float) -> None:
    with transaction():
        waiting.tell_me(client_id, slug, at(second))


def test_everybody_who_asked_is_told_once_when_nobody_waits_before_them() -> None:
    busy = Busy()
    asks, queued = factories.person().id, busy.join(5)
    ask(asks, busy.slug, 6)
    ask(asks, busy.slug, 7)
    assert busy.notices() == ["open"]
    assert busy.tend(8)["told"] == 0
    busy.over(30)
    assert (busy.tend(31)["held"], busy.notices()) == (1, ["open"])  # the queue comes first
    with transaction():
        waiting.leave(queued, busy.slug, at(32))
    assert busy.tend(33)["told"] == 1
    assert busy.tend(34)["told"] == 0
    assert (mails(asks), bell(asks) is not None) == (["reader_free"], True)
    assert waiting_view.news(asks, at(35)).free == ((busy.reader.display_name, busy.slug),)
    with transaction():
        waiting.seen(asks)
    assert waiting_view.news(asks, at(36)).free == ()
    assert busy.notices() == ["seen"]
    ask(asks, busy.slug, 37)  # once more, for the next time
    assert busy.notices() == ["seen", "open"]


def test_it_can_be_taken_back_and_runs_out_after_a_day() -> None:
    reader = factories.reader(online=False)
    one, two = factories.person().id, factories.person().id
    for client_id in (one, two):
        ask(client_id, reader.slug, 0)
    with transaction():
        waiting.do_not_tell_me(one, reader.slug)
    busy = Busy.__new__(Busy)
    assert busy.notices() == ["cancelled", "open"]
    assert busy.tend(DAY - 1)["expired"] == 0
    with transaction():
        reader_settings.set_online(reader.person_id, True, at(DAY))
    assert busy.tend(DAY) | {"rings": 0} == {
        "readers": 1, "held": 0, "lapsed": 0, "closed": 0, "told": 0, "expired": 1, "error": 0, "rings": 0,
    }  # fmt: skip
    assert mails(two) == []


def test_a_block_made_since_keeps_it_quiet() -> None:
    reader = factories.reader(online=False)
    client_id = factories.person().id
    ask(client_id, reader.slug, 0)
    block(reader.person_id, client_id, at(1))
    with transaction():
        reader_settings.set_online(reader.person_id, True, at(2))
    busy = Busy.__new__(Busy)
    assert busy.tend(3)["told"] == 0
    assert busy.notices() == ["cancelled"]


def test_a_dry_run_tells_nobody_and_two_sweeps_at_once_tell_once(app: Flask) -> None:
    reader = factories.reader()
    client_id = factories.person().id
    ask(client_id, reader.slug, 0)
    busy = Busy.__new__(Busy)
    assert busy.tend(1, dry_run=True) == {"dry_run": True, "readers": [reader.person_id]}
    results = at_once(app, [lambda: busy.tend(2)] * 4)
    assert sum(result["told"] for result in results) == 1
    assert mails(client_id) == ["reader_free"]
