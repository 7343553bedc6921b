"""Remove text that models read in an issue and people do not see."""

import re

# Code is visible as it is written, so this alternative comes before those of hidden text.
_CODE = (
    r"^[ ]{0,3}(?P<mark>`{3,}|~{3,})[^\n]*\n(?:.*?^[ ]{0,3}(?P=mark)[`~]*[ "
    r"\t]*$|.*\Z)|(?<!`)(?P<ticks>`{1,9})(?!`).*?(?<!`)(?P=ticks)(?!`)"
)
_COMMENT = r"<!--.*?(?:-->|\Z)"
_WHITE = r"(?:#fff(?:fff)?\b|white\b|transparent\b|rgba?\(\s*255\s*,\s*255\s*,\s*255)"
_UNSEEN_STYLE = (
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?(?![.\d])|font-size\s*:\s*[01](?:px|pt|em|%)?(?![.\d])|"
    rf"(?<![\w-])color\s*[:=]\s*[\"']?{_WHITE}|\shidden\b|text-indent\s*:\s*-\d{{3,}}|(?:left|top)\s*:\s*-\d{{3,}}|"
    r"\b(?:width|height)\s*[:=]\s*[\"']?0(?![.\d])"
)
_ELEMENT = (
    rf"<(?P<tag>[a-zA-Z][\w-]*)\b(?=[^<>]*(?:{_UNSEEN_STYLE}))[^<>]*>(?:.*?</(?P=tag)\s*>|[^\n]*)|"
    r"<(?P<silent>template|script|style|noscript|title|textarea)\b[^<>]*>.*?</(?P=silent)\s*>"
)
_FORMULA = rf"(?<!\$)\$\$?(?=[^$\n]*\\(?:text)?color\s*\{{\s*{_WHITE}\s*\}})[^$\n]*\$+"
# A link definition that is used as a comment: `[//]: # (text)`.
_DEFINITION = r"^[ ]{0,3}\[(?://|comment|_|#|\.|>)[^\]\n]*\]:[^\n]*$"
_PIECES = re.compile(rf"(?P<code>{_CODE})|{_COMMENT}|{_ELEMENT}|{_FORMULA}|{_DEFINITION}", re.S | re.M | re.I)

# Characters without a width, and those that change the direction of text, https://www.unicode.org/reports/tr9/.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0"
    "\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# Many languages and emoji need single joiners and direction marks.
_SPELLING = re.compile("(?<![\x00-\x7f])[\u200c-\u200f](?![\x00-\x7f])")
_TAGS = range(0xE0020, 0xE007F)


def visible(text: str) -> tuple[str, tuple[str, ...]]:
    """Return `text` as people see it, and the removed parts in their order.

    Removed are HTML comments, elements and formulas that are hidden or white, link definitions that serve as
    comments, characters without a width, and characters that change the direction of text. The characters are
    returned as their code points, or as the letters that they encode.
    """
    hidden: list[str] = []

    def piece(found: re.Match[str]) -> str:
        if found["code"] is not None:
            return found[0]
        hidden.append(found[0])
        return ""

    def characters(found: re.Match[str]) -> str:
        if _SPELLING.match(text, found.start()) and len(found[0]) == 1:
            return found[0]
        hidden.append(_named(found[0]))
        return ""

    text = _PIECES.sub(piece, text)
    return _INVISIBLE.sub(characters, text), tuple(hidden)


def _named(characters: str) -> str:
    spelt = "".join(chr(ord(each) - 0xE0000) for each in characters if ord(each) in _TAGS)
    return spelt or " ".join(f"U+{ord(each):04X}" for each in characters)
