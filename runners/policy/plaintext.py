"""Strangers' text made harmless for forges and terminals, or shortened."""

import re

# Terminal escapes and other control characters, marks that reverse the direction of text, other line ends,
# and halves of characters (a file name that is not UTF-8), which no forge takes.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Forges look for these in the rendered text, so that neither entities nor backslashes keep them away:
# mentions, references that link and close issues, addresses (which close issues as well).
_ACTIVE = re.compile(r"@(?=\w)|#(?=\d)|\bGH-(?=\d)|!(?=\d)|:(?=//)|\bw(?=ww\.)", re.IGNORECASE)
_COMMAND = re.compile(r"^[^\S\n]*::|##\[", re.MULTILINE)
_JOINER = "\u2060"  # WORD JOINER: no width, and no part of a name or number

MAX_TEXT = 16_000  # characters of a tool's answer that a model is shown


def cut_middle(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` in at most about `limit` characters: its beginning, a note on what is missing, its
    end."""
    if len(text) <= limit:
        return text
    half = limit // 2
    note = f"\n[… {len(text) - 2 * half:,} characters cut from the middle …]\n"
    return text[:half] + note + text[-half:]


def without_controls(text: str) -> str:
    """`text` without control characters other than tabs and line ends."""
    return _CONTROL.sub("", text)


def for_terminal(text: str) -> str:
    """`text` for a terminal or a job's log: no control characters, and no line that a runner of GitHub
    Actions obeys.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    return _COMMAND.sub(
        lambda found: found.group()[:-1] + _JOINER + found.group()[-1], without_controls(text)
    )


def defuse(text: str) -> str:
    """`text` that reads the same and neither pings, links nor closes anything; no control characters."""
    return _ACTIVE.sub(lambda found: found.group() + _JOINER, without_controls(text))


def one_line(text: str, limit: int = 200) -> str:
    """`text` defused, on one line of at most `limit` characters."""
    flat = defuse(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
