"""Which words stop the clock to offer help, and which are only said so; and whose lines are offered."""

import time

import pytest

from soulseer.domain.crisis import is_crisis
from soulseer.domain.help_lines import EVERYWHERE, HELP, country_of, help_for

CRISIS = [
    "I want to kill myself", "i'm going to kill my self tonight", "I want to die", "i just want to die.", "I really don't want to live anymore",
    "I don’t want to be alive", "thinking about ending it all", "I'm going to end it tonight", "I want to end my life", "I feel suicidal",
    "i am so suicidal", "I've been thinking about suicide", "I wish I was dead", "I wish I had never been born", "everyone is better off without me",
    "there is no reason to live", "no point in living", "I keep cutting myself", "I want to hurt myself", "I self-harm", "kms",
    "I took a whole bottle of pills", "I want to jump off a bridge", "I wrote a suicide note", "I will slit my wrists", "unalive myself",
    "I'd be better off dead", "nobody would miss me if I died", "I feel like dying, I need to die", "k\u200bill myself", "ＫＩＬＬ ＭＹＳＥＬＦ",
    "I can't go on anymore, I just want this life to end", "my uncle committed suicide and I want to kill myself too",
    "I'm not suicidal but I want to die", "what if I overdose on my meds", "I thought about hanging myself",
]  # fmt: skip
NOT_A_CRISIS = [
    "this is killing me", "I could die laughing", "I'm dying to know", "my feet are killing me", "I would die for him", "he is to die for",
    "I drew the Death card", "does Death mean he dies?", "I want to end it with him", "should I end this relationship?", "I want to end it all with Tom",
    "my husband died last year", "my uncle committed suicide", "she killed herself in March", "when will I die?", "will my dad die soon?",
    "I nearly died of embarrassment", "I want to die of embarrassment lol", "I don't want to live with him anymore", "I don't want to live in London",
    "I don't want to be here at this job", "cut myself some slack", "I cut myself shaving", "I was killing myself laughing", "I'm never suicidal",
    "I have no reason to stay", "better off alone", "I wish I was there", "I wish I was rich", "that joke slayed me", "I'd kill for a coffee",
    "kill the lights", "what happens after death", "my old self must die so that the new can live", "I hurt myself by loving him", "Suicide Squad",
    "jump into a new job", "I took my pills this morning", "he hurt me", "I hanged up on him", "it is the end of an era", "I'm dead tired",
]  # fmt: skip


@pytest.mark.parametrize("text", CRISIS)
def test_words_of_a_crisis_are_heard(text: str) -> None:
    assert is_crisis(text)


@pytest.mark.parametrize("text", NOT_A_CRISIS)
def test_what_is_only_said_so_is_not(text: str) -> None:
    assert not is_crisis(text)


def test_each_country_has_lines_and_the_rest_of_the_world_one_that_knows_them() -> None:
    assert {"US", "CA", "GB", "IE", "AU", "NZ", "DE", "FR", "ES", "IT", "IN", "ZA"} <= HELP.keys()
    for code, found in HELP.items():
        assert all(line.phone or line.text for line in found.lines), code
        assert all(line.url.startswith("https://") for line in found.lines), code
    assert help_for(None).lines == help_for("BR").lines == (EVERYWHERE,)
    assert help_for("GB").lines[0].phone == "116 123"


@pytest.mark.parametrize(
    ("zone", "languages", "country"),
    [
        ("Europe/London", ["de-DE"], "GB"),
        ("America/Indiana/Knox", [], "US"),
        ("America/Indiana", [], None),
        ("Australia/Perth", [], "AU"),
        ("UTC", ["fr", "en-GB", "en-US"], "GB"),
        ("Asia/Tokyo", ["ja"], None),
        ("", ["en_ZA"], "ZA"),
        ("UTC", ["de"], None),
    ],
)
def test_the_time_zone_tells_the_country_before_the_language(
    zone: str, languages: list[str], country: str | None
) -> None:
    assert country_of(zone, languages) == country


@pytest.mark.parametrize("gap", [" ", "\n", " \t"])
def test_no_message_takes_long(gap: str) -> None:
    began = time.process_time()
    assert not is_crisis("i" + gap * 3_999)
    # It took a second where each gap was tried at each of its signs.
    assert time.process_time() - began < 0.3


def test_a_gap_of_any_width_is_one_gap() -> None:
    assert is_crisis("I want\n\n to \t  die")
