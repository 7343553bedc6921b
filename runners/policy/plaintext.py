"""Strangers' text in places that a forge acts on: commit messages, titles, comments."""

import re

# Terminal escapes and other control characters, and the marks that reverse the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Forges look for these in the rendered text, so that neither entities nor backslashes keep them away:
# mentions, references that link and close issues, addresses (which close issues as well).
_ACTIVE = re.compile(r"@(?=\w)|#(?=\d)|\bGH-(?=\d)|!(?=\d)|:(?=//)", re.IGNORECASE)
_JOINER = "\u2060"  # WORD JOINER: no width, and no part of a name or number


def without_controls(text: str) -> str:
    """`text` without control characters other than tabs and line ends."""
    return _CONTROL.sub("", text)


def defuse(text: str) -> str:
    """`text` that reads the same and neither pings, links nor closes anything; no control characters."""
    return _ACTIVE.sub(lambda found: found.group() + _JOINER, without_controls(text))


def one_line(text: str, limit: int = 200) -> str:
    """`text` defused, on one line of at most `limit` characters."""
    flat = defuse(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
