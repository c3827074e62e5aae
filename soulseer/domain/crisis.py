"""Words that tell of a crisis: somebody speaks of killing or hurting themselves. English first.

Care is taken with idioms (“this is killing me”, “I could die laughing”) and with talk of others (“my uncle killed himself”),
which call for kindness but not for stopping the clock. In doubt, help is offered.
"""

import re
import unicodedata

from soulseer.domain.invisible import without_invisible

_MYSELF = r"(?:myself|my\s*self|me)"
_WANT = (
    r"(?:want|wanna|wish|plan|planning|going|gonna|intend|ready|about|decided|trying|tempted|need|thinking|thought|tried|"
    r"feel\s+like|considering|consider)"
)
_PHRASES = re.compile(
    "|".join(
        (
            r"\bkill(?:ing)?\s+my\s*self\b",
            r"\bkms\b",
            r"\b(?:end|ending|take|taking)\s+my\s+(?:own\s+)?life\b",
            rf"\b{_WANT}\s+(?:to\s+|of\s+|about\s+)*(?:end|ending)\s+it(?:\s+all)?+\b(?!\s+with)(?=\s*(?:[.!,;]|$|tonight|now|today|soon))",
            r"\bend(?:ing)?\s+it\s+all\b(?!\s+with)",
            r"\b(?:i\s*(?:'m|\s+am|\s+feel|'ve\s+been|\s+have\s+been|\s+was|\s+keep)?|i've)\s*(?:\w+\s+){0,2}suicidal\b",
            r"\b(?:commit|attempt|committing|attempting|contemplating|considering|about|of)\s+suicide\b",
            rf"\bi\s+(?:\w+\s+){{0,3}}{_WANT}\s+(?:\w+\s+){{0,2}}(?:to\s+)?die\b(?!\s+(?:laughing|of\s+(?:laughter|boredom|"
            r"embarrassment|shame|curiosity|happiness|joy|cringe|excitement)|from\s+(?:laughing|embarrassment|laughter)|for|to))",
            r"\bi\s*(?:'d|\s+would)\s+(?:be\s+)?(?:rather\s+be\s+dead|better\s+off\s+dead|rather\s+die\b(?!\s+than))",
            r"\b(?:better|best)\s+off\s+(?:dead|without\s+me)\b",
            r"\bi\s+wish\s+i\s+(?:was|were|wasn'?t|weren'?t|had\s+never\s+been|'?d\s+never\s+been|could\s+just)\s+"
            r"(?:dead|here\s+any\s?more|alive|born|not\s+wake\s+up|disappear\s+forever|gone\s+forever)\b",
            r"\bi\s+(?:\w+\s+){0,2}(?:don'?t|do\s+not|dont)\s+(?:\w+\s+){0,2}(?:want|wanna)\s+(?:to\s+)?(?:live|be\s+alive|exist|be\s+here|wake\s+up|go\s+on"
            r"\s+living)\b(?!\s+(?:with|in|at|near|there|like|together|apart|alone|for\s+(?:\w+\s+)?(?:him|her|them)))"
            r"(?=\s*(?:any\s?more|[.!,;?]|$|tomorrow|again|and|because|without))",
            r"\b(?:no|any)\s+(?:reason|point)\s+(?:left\s+)?(?:to|in)\s+(?:liv(?:e|ing)|go(?:ing)?\s+on)\b",
            r"\b(?:can'?t|cannot|can\s+not|couldn'?t)\s+(?:go\s+on|live|take\s+it|do\s+this)\s+(?:living\s+)?(?:any\s?more|any\s+longer)"
            r"\b.{0,40}\b(?:die|dead|pills|life|living|goodbye|end)\b",
            r"\b(?:cut(?:ting)?|hurt(?:ing)?|harm(?:ing)?|burn(?:ing)?|hang(?:ing)?|shoot(?:ing)?|drown(?:ing)?|starv(?:e|ing))\s+my\s*self\b"
            r"(?!\s+(?:some\s+slack|off|short|a\s|in\s+the\s+foot|out|from|by\s+(?:thinking|loving|hoping|waiting|staying)|"
            r"shaving|cooking|while|at\s+(?:the\s+gym|work)|accidentally))",
            r"\bself[\s-]?harm(?:ing|ed)?\b",
            r"\b(?:overdos(?:e|ing)|od)\s+(?:on|tonight|myself)\b",
            r"\b(?:took|take|taking|swallow(?:ed)?)\s+(?:all|a\s+(?:whole\s+)?(?:bottle|handful)\s+of)\s+(?:\w+\s+){0,2}(?:pills|tablets|medication|meds)\b",
            r"\bjump(?:ing)?\s+(?:off|from)\s+(?:a|the|that|this)\s+(?:bridge|roof|building|balcony|cliff)\b",
            r"\bunalive\s+my\s*self\b",
            r"\bsewer[\s-]?slide\b",
            r"\bslit(?:ting)?\s+my\s+wrists?\b",
            r"\bmy\s+suicide\b|\bsuicide\s+(?:note|plan|letter)\b|\bi\s+(?:\w+\s+){0,2}suicide\b",
            rf"\bkill\s+{_MYSELF}\b(?=.{{0,20}}(?:tonight|today|now|want))",
            r"\bnobody\s+would\s+(?:miss|notice)\s+(?:me\s+)?if\s+i\s+(?:was|were|died|am)\b",
            r"\b(?:say(?:ing)?|this\s+is|it'?s)\s+(?:my\s+)?(?:final|last)\s+goodbyes?\b",
            r"\bnot\s+(?:want|wanting)\s+to\s+(?:live|be\s+alive|wake\s+up)\s+any\s?more\b",
        )
    )
)
# Said in jest, or of somebody or something else; only what stands around the words that were found counts.
_IDIOMS = re.compile(
    r"\b(?:lol|lmao|haha\w*|jk|just\s+kidding)\b.{0,10}$|"
    r"\bkill(?:ing)?\s+myself\s+(?:laughing|at\s+the\s+gym|with\s+work|to\s+(?:get|finish|make))|"
    r"\b(?:he|she|they|who|uncle|aunt|brother|sister|mother|father|mom|dad|friend|cousin|husband|wife|son|daughter|ex)\s+"
    r"(?:\w+\s+){0,3}(?:commit(?:ted|ting)?|attempted|died\s+(?:by|of))\s+(?:by\s+)?suicide|"
    r"\b(?:suicide\s+(?:squad|king|hotline\s+volunteer))|"
    r"\b(?:not|never)\s+(?:feel(?:ing)?\s+|been\s+|be\s+)?suicidal\b|"
    r"\bi\s*(?:'m|\s+am|\s+would|'d|\s+will|'ll)?\s*(?:not|never)\s+(?:\w+\s+){0,2}(?:kill|hurt|harm)(?:ing)?\s+myself\b"
)


def is_crisis(text: str) -> bool:
    """Whether the words of ``text`` tell of a crisis of whoever wrote them."""
    plain = (
        without_invisible(unicodedata.normalize("NFKC", text)).casefold().replace("’", "'").replace("‘", "'")
    )
    # One space for a gap of any width: a message of nothing but gaps would be tried at each of them.
    plain = " ".join(plain.split())
    # Idioms are taken out first, so that what else is said still counts.
    return _PHRASES.search(_IDIOMS.sub(" ; ", plain)) is not None
