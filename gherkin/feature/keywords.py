"""Gherkin's keywords in the languages that behave knows, and the search for the language of a text."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from behave.i18n import languages

_NAMED = re.compile(r"^[ \t]*#[ \t]*language[ \t]*:", re.IGNORECASE | re.MULTILINE)
_BLOCKS = ("feature", "rule", "background", "scenario", "scenario_outline", "examples")
_STEPS = ("given", "when", "then", "and", "but")
# English, its dialects and joke variants are never guessed.
_OTHERS = {code: words for code, words in languages.items() if not code.startswith("en")}


def language_of(text: str) -> str | None:
    """Return the code of the language (``de``) whose keywords a text uses.

    None for English, for a text with a ``# language:`` line, and for a text without keywords.
    """
    if _NAMED.search(text):
        return None
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    counts = {code: _count(lines, words) for code, words in _OTHERS.items()}
    best = max(counts, key=lambda code: counts[code].total())
    english = _count(lines, languages["en"]).total()
    return best if counts[best]["block"] and counts[best].total() > english else None


def has_header(text: str, language: str | None) -> bool:
    """Return whether a text has a ``# language:`` line, or ``Feature:`` in `language` (None: English)."""
    words = "|".join(map(re.escape, languages[language or "en"]["feature"]))
    return bool(_NAMED.search(text) or re.search(rf"^[ \t]*(?:{words})[ \t]*:", text, re.I | re.M))


def feature_keyword(language: str | None) -> str:
    """Return the first word for ``Feature`` in a language (None: English)."""
    return str(languages[language or "en"]["feature"][0])


def native_name(language: str) -> str:
    """Return a language's name in English: ``German``."""
    return str(languages[language]["name"])


def step_words(known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the words for Given, When and Then in a language, by their lower-case form."""
    every = (word.strip() for kind in ("given", "when", "then") for word in known[kind])
    return {word.casefold(): word for word in every if word != "*"}


def _count(lines: Sequence[str], words: Mapping[str, Sequence[str]]) -> Counter[str]:
    """Count the lines that begin with a block's keyword and a colon, and those that begin with a step's."""
    heads = tuple(f"{word}:" for kind in _BLOCKS for word in words[kind])
    steps = tuple(word for kind in _STEPS for word in words[kind] if not word.startswith("*"))
    return Counter(
        "block" if line.startswith(heads) else "step" for line in lines if line.startswith((*heads, *steps))
    )
