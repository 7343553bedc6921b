"""What GitLab alone acts on: quick actions at the start of a line, and its own pattern of closing words."""

import pytest
from hypothesis import given, settings

from bot.report.escape import block, code, inline, prose, sentence
from tests.support.strangers import ON_GITLAB, acted


@settings(max_examples=60)
@given(ON_GITLAB)
def test_nothing_that_is_escaped_acts_on_gitlab(text: str) -> None:
    for shown in (inline(text), code(text), sentence(text), prose(text), block(text)):
        assert acted(shown) == []


@pytest.mark.parametrize("text", ["/close", "x\n/approve", "Closes #3", "Fix ABC-12", "fixed a/b#1"])
def test_the_signs_do_act_without_the_guard(text: str) -> None:
    assert acted(text)
