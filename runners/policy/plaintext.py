"""Make strangers' text harmless for forges and terminals, or shorten it."""

import re

# Terminal escapes and other control characters, marks that reverse the direction of text, other line ends,
# and surrogates (from file names that are not UTF-8), which every forge refuses.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Mentions, references that link and close issues, and addresses (which close issues as well). Forges look
# for them in the rendered text, so entities and backslashes do not disable them.
_ACTIVE = re.compile(r"@(?=\w)|#(?=\d)|\bG[HL]-(?=\d)|!(?=\d)|:(?=//)|\bw(?=ww\.)", re.IGNORECASE)
# A keyword that closes the issue behind it, `GH-1` and Jira's `ABC-1` among them. GitLab also finds it in
# code, where nothing else acts.
# https://docs.gitlab.com/user/project/issues/managing_issues/#default-closing-pattern
_CLOSING = re.compile(
    r"\b(?:clos|fix|resolv|implement)(?=\w*:?\s+(?:issues?\s+)?(?:[\w./-]*#\d|[a-z]\w*-\d|https?://))",
    re.IGNORECASE,
)
# In a commit message, or in a title or text that becomes one, these keep the CI from running.
# https://docs.github.com/actions/how-tos/manage-workflow-runs/skip-workflow-runs
# https://docs.gitlab.com/ci/pipelines/#skip-a-pipeline
_SKIPPING = re.compile(
    r"\[(?=\s*(?:(?:skip|no)[ -]?(?:ci|actions)|(?:ci|actions)[ -]?skip)\s*\])"
    r"|\*\*\*(?=NO_CI)|\bskip-checks(?=:)",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"^[^\S\n]*::|##\[", re.MULTILINE)
_JOINER = "\u2060"  # WORD JOINER: no width, and no part of a name or number

MAX_TEXT = 16_000  # characters of a tool's answer that a model is shown


def cut_middle(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` in at most about `limit` characters: its beginning, a note on the cut, and its end."""
    if len(text) <= limit:
        return text
    half = limit // 2
    note = f"\n[… {len(text) - 2 * half:,} characters cut from the middle …]\n"
    return text[:half] + note + text[-half:]


def without_controls(text: str) -> str:
    """Return `text` without control characters other than tabs and line ends."""
    return _CONTROL.sub("", text)


def for_terminal(text: str) -> str:
    """Return `text` for a terminal or a job's log.

    It has no control characters and no workflow commands, which GitHub Actions would execute:
    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    return _COMMAND.sub(
        lambda found: found.group()[:-1] + _JOINER + found.group()[-1], without_controls(text)
    )


def without_keywords(text: str) -> str:
    """Return text that reads like `text`, whose words close no issue and keep no CI from running."""
    for pattern in (_CLOSING, _SKIPPING):
        text = pattern.sub(lambda found: found.group() + _JOINER, text)
    return text


def defuse(text: str) -> str:
    """Return text that reads like `text` and mentions, links, closes and skips nothing; no control
    characters."""
    clean = without_keywords(without_controls(text))
    return _ACTIVE.sub(lambda found: found.group() + _JOINER, clean)


def one_line(text: str, limit: int = 200) -> str:
    """Return `text` defused, on one line of at most `limit` characters."""
    flat = defuse(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
