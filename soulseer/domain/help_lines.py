"""Help lines by country, free and open day and night where there is one.

In November 2026 they were compared with stored copies of public pages, mostly news and health services' and years old; of the
lines' own sites only 3114.fr, Shout's former one and a copy of 988.ca. No line was called, no site was opened. Found so: US 988; CA;
GB Shout; IE 50808 (the number); AU Lifeline with its texts; NZ 1737, Lifeline and its texts; AT; CH; FR; ES; IT (the number; its hours
differ from page to page); IN Tele-MANAS; ZA (both numbers). Not found, and as they were first written down: US Crisis Text Line, the
Samaritans' and TelefonSeelsorge's numbers, AU Suicide Call Back Service, the word HELLO of 50808. Whoever runs this site reads all of them
on the lines' own pages before it opens and once a year.

A country that is not here is shown findahelpline.com, which knows the lines of more than a hundred.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class HelpLine:
    """``phone`` as it is dialled, ``text`` what to do by message; either may be empty. ``url`` is the line's own site."""

    name: str
    phone: str
    url: str
    text: str = ""
    hours: str = "day and night"


@dataclass(frozen=True)
class Help:
    """A country's name, emergency number and lines."""

    country: str
    emergency: str
    lines: tuple[HelpLine, ...]


EVERYWHERE = HelpLine("Find a Helpline", "", "https://findahelpline.com", hours="lines in every country")

HELP = {
    "US": Help("the United States", "911", (
        HelpLine("988 Suicide & Crisis Lifeline", "988", "https://988lifeline.org", "text 988"),
        HelpLine("Crisis Text Line", "", "https://www.crisistextline.org", "text HOME to 741741"))),
    "CA": Help("Canada", "911", (
        HelpLine("9-8-8 Suicide Crisis Helpline", "988", "https://988.ca", "text 988"),)),
    "GB": Help("the United Kingdom", "999", (
        HelpLine("Samaritans", "116 123", "https://www.samaritans.org"),
        HelpLine("Shout", "", "https://giveusashout.org", "text SHOUT to 85258"))),
    "IE": Help("Ireland", "112", (
        HelpLine("Samaritans Ireland", "116 123", "https://www.samaritans.org/ireland/"),
        HelpLine("Text About It", "", "https://www.textaboutit.ie", "text HELLO to 50808"))),
    "AU": Help("Australia", "000", (
        HelpLine("Lifeline", "13 11 14", "https://www.lifeline.org.au", "text 0477 13 11 14"),
        HelpLine("Suicide Call Back Service", "1300 659 467", "https://www.suicidecallbackservice.org.au"))),
    "NZ": Help("New Zealand", "111", (
        HelpLine("1737, need to talk?", "1737", "https://1737.org.nz", "text 1737"),
        HelpLine("Lifeline Aotearoa", "0800 543 354", "https://www.lifeline.org.nz", "text 4357"))),
    "DE": Help("Germany", "112", (
        HelpLine("TelefonSeelsorge", "0800 111 0 111", "https://www.telefonseelsorge.de"),
        HelpLine("TelefonSeelsorge", "116 123", "https://www.telefonseelsorge.de"))),
    "AT": Help("Austria", "112", (
        HelpLine("TelefonSeelsorge Österreich", "142", "https://www.telefonseelsorge.at"),)),
    "CH": Help("Switzerland", "112", (
        HelpLine("Die Dargebotene Hand", "143", "https://www.143.ch"),)),
    "FR": Help("France", "112", (
        HelpLine("3114, prévention du suicide", "3114", "https://3114.fr"),)),
    "ES": Help("Spain", "112", (
        HelpLine("Línea 024", "024", "https://www.sanidad.gob.es/linea024/home.htm"),)),
    "IT": Help("Italy", "112", (
        HelpLine("Telefono Amico Italia", "02 2327 2327", "https://www.telefonoamico.it", hours="each day until midnight"),)),
    "IN": Help("India", "112", (
        HelpLine("Tele-MANAS", "14416", "https://telemanas.mohfw.gov.in"),)),
    "ZA": Help("South Africa", "112", (
        HelpLine("SADAG Suicide Crisis Helpline", "0800 567 567", "https://www.sadag.org", "text 31393, they call back"),)),
}  # fmt: skip

# Where a time zone says which country it is. Zones that begin so belong to the country of the longest beginning.
_ZONES = {
    "America/New_York": "US", "America/Chicago": "US", "America/Denver": "US", "America/Los_Angeles": "US", "America/Phoenix": "US",
    "America/Detroit": "US", "America/Anchorage": "US", "America/Boise": "US", "America/Indiana/": "US", "America/Kentucky/": "US",
    "America/North_Dakota/": "US", "America/Juneau": "US", "America/Sitka": "US", "America/Nome": "US", "Pacific/Honolulu": "US",
    "US/": "US", "America/Toronto": "CA", "America/Vancouver": "CA", "America/Montreal": "CA", "America/Edmonton": "CA",
    "America/Winnipeg": "CA", "America/Halifax": "CA", "America/St_Johns": "CA", "America/Regina": "CA", "America/Moncton": "CA",
    "America/Whitehorse": "CA", "America/Yellowknife": "CA", "America/Iqaluit": "CA", "Canada/": "CA", "Europe/London": "GB",
    "Europe/Belfast": "GB", "Europe/Dublin": "IE", "Australia/": "AU", "Pacific/Auckland": "NZ", "Pacific/Chatham": "NZ",
    "Europe/Berlin": "DE", "Europe/Busingen": "DE", "Europe/Vienna": "AT", "Europe/Zurich": "CH", "Europe/Paris": "FR",
    "Europe/Madrid": "ES", "Atlantic/Canary": "ES", "Africa/Ceuta": "ES", "Europe/Rome": "IT", "Asia/Kolkata": "IN",
    "Asia/Calcutta": "IN", "Africa/Johannesburg": "ZA",
}  # fmt: skip


def country_of(time_zone: str, languages: list[str]) -> str | None:
    """The country (ISO 3166, two letters) by the person's own time zone, else by the region of a language that the browser
    asks for (``en-GB``); None where neither tells."""
    for length in range(len(time_zone), 0, -1):
        known = _ZONES.get(time_zone[:length])
        if known and (length == len(time_zone) or time_zone[length - 1] == "/"):
            return known
    for language in languages:
        region = language.replace("_", "-").rpartition("-")[2].upper()
        if "-" in language.replace("_", "-") and region in HELP:
            return region
    return None


def help_for(country: str | None) -> Help:
    """The lines of a country, findahelpline.com as the last of them; that alone where we know no others."""
    known = HELP.get(country or "")
    if known is None:
        return Help("", "112", (EVERYWHERE,))
    return Help(known.country, known.emergency, (*known.lines, EVERYWHERE))
