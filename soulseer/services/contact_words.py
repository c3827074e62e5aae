"""The words that contact details are given away with; read by services/message_contacts.py. All in small letters."""

import re

# Where a mail address is told by the host alone.
MAIL_HOSTS = frozenset(
    [
        "gmail",
        "googlemail",
        "yahoo",
        "ymail",
        "hotmail",
        "outlook",
        "live",
        "msn",
        "icloud",
        "me",
        "mac",
        "aol",
        "proton",
        "protonmail",
        "pm",
        "gmx",
        "web",
        "tutanota",
        "tuta",
        "zoho",
        "yandex",
        "mail",
        "fastmail",
        "hey",
    ]
)
TLDS = (
    r"(?:com|net|org|info|biz|io|me|co|us|uk|co\s*\.?\s*uk|de|fr|es|it|ie|au|com\s*\.?\s*au|nz|ca|in|za|ch|at|eu|app|"
    r"online|site|shop|xyz|love|life|space|live|email)"
)
# Before “at …”: somebody looks at a site, or is there; nobody is called so.
NOT_A_NAME = frozenset(
    [
        "look",
        "looks",
        "looked",
        "looking",
        "is",
        "was",
        "are",
        "were",
        "be",
        "been",
        "shop",
        "shopped",
        "shopping",
        "bought",
        "buy",
        "found",
        "find",
        "order",
        "ordered",
        "available",
        "only",
        "here",
        "there",
        "it",
        "that",
        "this",
        "them",
        "in",
        "up",
        "out",
        "account",
        "website",
        "site",
        "store",
        "work",
        "works",
        "worked",
        "arrived",
        "sign",
        "signed",
        "log",
        "logged",
        "read",
        "saw",
        "seen",
        "me",
        "him",
        "her",
        "us",
    ]
)
NUMBER_WORDS = {
    "zero": "0", "oh": "0", "o": "0", "nil": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
# Close before a number: it is one to call.
PHONE_WORDS = re.compile(
    r"\b(?:phone|cell|mobile|tel|telephone|whats\s?app|viber|telegram|signal|zelle|handy|sms"
    r"|(?:call|text|ring|phone|reach|message|dial|sms|whats\s?app)\s+(?:me|us|him|her)?"
    r"|(?:my|his|her)\s+(?:\w+\s+)?(?:number|digits|no\.?|#))\b"
)

_SURE = (
    r"instagram|insta|whats\s?app|telegram|snap\s?chat|facebook|messenger|tik\s?tok|we\s?chat|viber|discord|skype|kik|"
    r"twitter|only\s?fans|pay\s?pal|venmo|cash\s?app|zelle|linked\s?in"
)
# Words that also mean something else: only where nothing else can be meant.
_DOUBTFUL = r"ig|snap|fb|signal|threads|line"
_PLATFORM = rf"(?:{_SURE})"
_ANY = rf"(?:{_SURE}|{_DOUBTFUL})"
_NAME = r"@?[a-z0-9][\w.\-]{2,}"
_NOT_AN_ADDRESS = r"(?:home|work|night|noon|school|all|least|once|last|first|peace|midnight|the|this|that)\b"

# “my insta is moon.child”, “insta: moon.child”, “@moon.child”.
HANDLE_GIVEN = re.compile(
    rf"\b(?:my|our)\s+{_ANY}\s*(?:account|handle|name|number|user\s?name|id|page|profile)?\s*(?:is|=|:|-|→)\s*{_NAME}"
    rf"|\b(?:{_PLATFORM}|ig|fb)\s*(?:[:=]|->|@)\s*{_NAME}"
    rf"|\b{_PLATFORM}\s+(?:handle|user\s?name|id)\s+(?:is\s+)?{_NAME}"
    rf"|(?:^|[\s(\[:,;])@(?!{_NOT_AN_ADDRESS})[a-z_][\w.]{{2,30}}(?!\S*@)"
)
_OVER = r"(?:on|via|over|through|by|at|with|using|to|in)"
# “what's your insta?”, “are you on telegram?”, “let's move to whatsapp”.
HANDLE_ASKED = re.compile(
    rf"\b(?:what'?s|what\s+is|give\s+me|send\s+me|share|tell\s+me|can\s+i\s+(?:have|get)|may\s+i\s+have|drop)\s+your\s+{_ANY}\b"
    rf"|\b(?:do|are|can|could|would)\s+you\s+(?:have|use|on|talk|chat|be)\s*(?:{_OVER}\s+)?{_PLATFORM}\b"
    rf"|\byou\s+on\s+{_PLATFORM}\b"
    rf"|\b(?:let'?s|let\s+us|we\s+(?:can|could|should)|(?:can|could|shall|should)\s+we|i'?d\s+rather|prefer\s+to)\s+"
    rf"(?:\w+\s+){{0,3}}{_OVER}\s+(?:{_PLATFORM}|signal|fb|ig)\b"
    rf"|\b(?:switch|move|continue|go)\s+(?:over\s+)?(?:to|on)\s+{_PLATFORM}\b"
)
# “text me on whatsapp”, “find me on ig”, “send it to my paypal”.
HANDLE_INVITED = re.compile(
    rf"\b(?:add|follow|find|message|text|dm|contact|write|call|reach|ping|hit|pay|tip|look|inbox)\s+(?:to\s+)?(?:me|us)\b"
    rf"(?:\s+\w+){{0,3}}?\s+{_OVER}\s+(?:my\s+)?{_ANY}\b"
    rf"|\b(?:pay|tip|send)\s+(?:\w+\s+){{0,4}}(?:to|by|via|through|on|with)\s+(?:my\s+)?(?:pay\s?pal|venmo|cash\s?app|zelle)\b"
)
# Right before an invitation: it tells of somebody else (“he used to text me on whatsapp”).
BEFORE_A_STORY = re.compile(
    r"\b(?:(?:he|she|they|it|who|ex|husband|wife|guy|man|woman|girl|boy|friend|sister|brother|mother|mom|father|dad|boss)"
    r"(?:'d|'ll|\s+(?:will|would|did|does|didn'?t|doesn'?t|won'?t|can'?t|could|can|might|may|never|always|still|only|just|"
    r"and|then|also|often|sometimes|finally|again|to|started|start|stopped|used|wants?|tried|tries|refused|refuses|going|"
    r"has|had|not|ever|even|once))*"
    r"|did(?:n'?t)?\s+(?:he|she|they)|will\s+(?:he|she|they)|would\s+(?:he|she|they))\s+$"
)
HANDLE_LINK = re.compile(
    r"\b(?:wa\.me|t\.me|m\.me|api\.whatsapp\.com|chat\.whatsapp\.com|discord\.gg|paypal\.me|cash\.app/\$?|venmo\.com|"
    r"snapchat\.com/add|(?:instagram|facebook|tiktok|twitter|linkedin|onlyfans)\.com)/?[\w@$/.\-]+"
)
