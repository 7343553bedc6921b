"""What GitLab alone acts on: quick actions at the start of a line, and its own pattern of closing words."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.report.escape import block, code, inline, prose, sentence
from tests.unit.bot.report.test_templates import full, texts

# https://docs.gitlab.com/user/project/quick_actions/
_QUICK_ACTION = re.compile(r"^/[a-z_]\w*", re.MULTILINE)
# https://docs.gitlab.com/user/project/issues/managing_issues/#default-closing-pattern
_CLOSING = re.compile(
    r"\b(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?):? +"
    r"(?:issues? +)?(?:[\w./-]*#\d+|https?://\S+/issues/\d+|[A-Z][A-Z0-9_]+-\d+)",
    re.IGNORECASE,
)
_WORDS = st.sampled_from(
    [
        *("/close", "/approve", "/merge", "/label ~bug", "/assign @ada", "/unlabel", " /close", "\t/close"),
        *("Closes #3", "fixes group/calc#12", "Implements: issue #4", "Resolved ABC-12", "closing gh-3"),
        *("Fix https://gitlab.example/g/p/-/issues/4", "[[_TOC_]]", "::include{file=x}", "$`x`$"),
        *("\n", "\n\n", "\r\n", "- ", "> ", "```", "`", "word ", "| ", "&3", "%1", "~bug", "^x"),
    ]
)
ON_GITLAB = st.lists(_WORDS, max_size=10).map("".join)


def acted(text: str) -> list[str]:
    return [*_QUICK_ACTION.findall(text), *_CLOSING.findall(text)]


@settings(max_examples=60)
@given(ON_GITLAB)
def test_nothing_that_is_escaped_acts_on_gitlab(text: str) -> None:
    for shown in (inline(text), code(text), sentence(text), prose(text), block(text)):
        assert acted(shown) == []


@settings(max_examples=30, deadline=None)
@given(ON_GITLAB.filter(lambda text: inline(text).strip() != ""))
def test_no_text_of_the_bot_acts_on_gitlab_but_for_its_own_issue(text: str) -> None:
    for shown in texts(full(text), text):
        assert acted(shown.replace("Closes #12", "")) == []


@pytest.mark.parametrize("text", ["/close", "x\n/approve", "Closes #3", "Fix ABC-12", "fixed a/b#1"])
def test_the_signs_do_act_without_the_guard(text: str) -> None:
    assert acted(text)
