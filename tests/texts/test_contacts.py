"""What counts as contact details, in the spellings that people use, and what does not: readings are full of numbers."""

from datetime import date, time
from time import perf_counter

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soulseer.domain.crisis import is_crisis
from soulseer.services.message_contacts import EMAIL, HANDLE, PHONE, find

DETAILS = {
    EMAIL: [
        "write to luna@example.com", "Luna.Moon+x@mail.co.uk", "luna @ gmail . com", "luna at gmail dot com",
        "luna (at) example (dot) org", "luna[at]web.de", "moonchild at gmail.com", "ＬＵＮＡ＠example.com",
        "lu\u200bna@exam\u200bple.com", "it's moonchild at proton dot me ok?", "luna AT yahoo DOT co.uk",
    ],
    PHONE: [
        "call me: +1 415 555 2671", "+44 20 7946 0958", "my number is 415-555-2671", "(415) 555-2671",
        "4155552671", "4 1 5 5 5 5 2 6 7 1", "4-1-5-5-5-5-2-6-7-1", "+49 151 23456789", "0151 23456789 is my cell",
        "four one five five five five two six seven one", "text me 5552671", "four one five, triple five, two six seven one",
        "my digits 415.555.2671", "+1 (415) 555*2671", "４１５ ５５５ ２６７１", "whatsapp 07700 900123", "call me at 020 7946 0958",
        "my number: 4\u200b15\u200b555\u200b2671", "+91 98765 43210", "my cell is four 1 five five 5 five two 6 seven one",
    ],
    HANDLE: [
        "my insta is @moonchild", "my insta is moon.child", "insta: moonchild_77", "IG: moonchild", "@moonchild",
        "add me on snapchat", "text me on WhatsApp", "find me on ig", "let's move to telegram", "let's talk on WhatsApp instead",
        "do you have whatsapp?", "are you on Telegram", "what's your insta", "https://wa.me/4915123456", "t.me/moonchild",
        "you can find me on facebook", "follow me on tiktok", "pay me through paypal", "send the money to my venmo",
        "instagram.com/moonchild", "can we continue on signal", "feel free to message me on messenger", "dm me on insta",
    ],
}  # fmt: skip
HARMLESS = [
    "I was born on 12.04.1985 at 14:35 in Lyon", "04/12/1985 2:35 pm", "1985-04-12 03:15", "12 04 1985, 7 am", "12041985",
    "19850412", "12/4/85 and his is 3/11/79", "April 12, 1985 at 3:15am", "12th of April 1985", "12 Apr 1985, 23.10 Uhr",
    "born 1985-04-12 14:35:20 at 40.7128, -74.0060", "my birthday is 3 11 1979 and hers 24 12 1981",
    "DOB 11/23/1990 TOB 11:11 PM", "I paid $19.99 and then 250 dollars", "it costs 1,299.00 or €1 250", "5 minutes for $9.95",
    "I see 111 222 333 444 everywhere", "11:11 and 22:22 and 333", "1111 2222 3333", "the numbers 4 8 15 16 23 42",
    "1 + 9 + 8 + 5 + 0 + 4 + 1 + 2 = 30", "my life path number is 7, his is 11", "one two three four five six seven eight",
    "1 2 3 4 5 6 7 8 9", "we were together 2010-2015 and 2017 to 2019", "in 2019, 2020, 2021 and 2022", "100 percent, 1000000 times",
    "he blocked me on whatsapp", "he unfollowed me on Instagram last week", "she posts on facebook every day",
    "he used to text me on WhatsApp every night", "will he text me on whatsapp?", "my ex still writes on messenger",
    "does he look at my instagram?", "he never called me on skype", "I saw it on tiktok", "I looked at etsy.com for cards",
    "I am at home at noon", "meet @ 5pm", "look at that. com'on", "give me a signal", "draw a line", "snap out of it",
    "three of cups, ten of swords, two of wands", "I drew 3 cards: 7, 9 and 10", "at 8.30 or 9.45 or 10.15 or 11.20",
    "we met at work", "born 7:45 on 7/7/77 weighing 7 lbs", "flight on 24/12 at 18:20, back on 02/01 at 06:05", "room 4021, floor 12",
    "he sent me an email", "did he read my mail", "the 5 of 10 and 20 of 30 in 40 days", "the sun at 23° 14' Aries, moon 05° 59'",
    "our wedding is 20.06.2027 and the baby is due 14.11.2027", "1985 04 12", "12-04-1985 / 06-11-1988", "I am 34 and he is 38",
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in DETAILS.items() for text in texts]
)
def test_details_are_recognised(kind: str, text: str) -> None:
    assert kind in find(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_readings_are_made_of_is_not(text: str) -> None:
    assert find(text) == ()


DATES = st.dates(date(1930, 1, 1), date(2030, 12, 31))
DATE_FORMS = st.sampled_from(
    [
        "%d.%m.%Y",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%Y-%m-%d",
        "%d %m %Y",
        "%d %B %Y",
        "%B %d, %Y",
        "%d-%m-%y",
        "%d%m%Y",
        "%Y%m%d",
    ]
)
TIME_FORMS = st.sampled_from(["%H:%M", "%I:%M %p", "%H.%M", "%H:%M:%S", "%I %p"])


@settings(max_examples=60, deadline=None)
@given(DATES, DATES, DATE_FORMS, st.times(time(0), time(23, 59, 59)), TIME_FORMS)
def test_no_birth_date_is_taken_for_a_number(
    mine: date, theirs: date, form: str, hour: time, hours: str
) -> None:
    text = f"I was born {mine.strftime(form)} {hour.strftime(hours)} and he {theirs.strftime(form)}"
    assert find(text) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.decimals(0, 99_999, places=2), min_size=1, max_size=4),
    st.sampled_from(["${}", "{} dollars", "€{}", "{} EUR"]),
)
def test_no_price_is_taken_for_a_number(amounts: list[object], form: str) -> None:
    assert find("it was " + ", then ".join(form.format(amount) for amount in amounts)) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["US", "GB", "DE", "FR", "IN", "AU"]),
    st.integers(0, 10**6 - 1),
    st.sampled_from([phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164]),
)
def test_every_international_number_is_recognised(region: str, change: int, form: int) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    number.national_number = number.national_number // 10**6 * 10**6 + change
    if phonenumbers.is_valid_number(number):
        assert PHONE in find(f"you reach me under {phonenumbers.format_number(number, form)} tonight")


WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    WORD,
    WORD,
    st.sampled_from(["com", "org", "de", "co.uk"]),
    st.sampled_from(["@", " @ ", "(at)", " [at] "]),
)
def test_every_mail_address_is_recognised(name: str, host: str, tld: str, at: str) -> None:
    assert EMAIL in find(f"my address: x{name}{at}{host}.{tld}")


@pytest.mark.parametrize(
    "part", ["a", "1", "a.", "1.", "1 ", "one ", "a at b ", "he will just ", "add me ", "i want "]
)
def test_a_long_message_takes_no_longer_to_look_through_than_to_send(part: str) -> None:
    began = perf_counter()
    text = (part * 4_000)[:4_000]
    find(text)
    is_crisis(text)
    assert perf_counter() - began < 1
