"""Characters that nobody sees but that change what is seen: they hide words from a reader, or turn their order round."""

import re

# Zero-width spaces and joiners of words, soft hyphens, marks and overrides of direction, tags, and fillers that are drawn
# as nothing. Kept: the joiners that emoji and many scripts need (U+200C, U+200D), and selectors of variants.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e001f\U0001d173-\U0001d17a]"
)
# England's, Scotland's and Wales's flags are spelled with tags; elsewhere they only hide text.
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f)|[\U000e0020-\U000e007f]")
_JOINERS = re.compile("[\u200c\u200d]{2,}")


def without_invisible(text: str) -> str:
    """``text`` without what is not seen; words that were pushed apart by it come together again."""
    text = _TAGS.sub(lambda found: found.group(1) or "", _INVISIBLE.sub("", text))
    return _JOINERS.sub("", text).strip("\u200c\u200d")
