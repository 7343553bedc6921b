"""The linter in a process of its own."""

import pytest

from gherkin.domain.language import Domain, Term
from gherkin.feature.steps import StepDefinition
from gherkin.lint.linter import lint
from runners.phases.linting import Known, lint_within

FEATURE = """Feature: f

  Scenario: s
    Given aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab
    When the client pays
    Then 3
"""


def step(pattern: str, matcher: str = "parse") -> StepDefinition:
    return StepDefinition(kind="given", pattern=pattern, path="s.py", line=1, function="f", matcher=matcher)


DOMAIN = Domain(terms=(Term(term="customer", avoid=("client",)),))


def test_it_says_what_the_linter_says() -> None:
    known = Known(
        definitions=(step("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),), domain=DOMAIN, max_scenarios=9
    )
    found = lint_within(FEATURE, known)
    assert [each.code for each in found] == ["near-duplicate-step", "avoided-term"]
    assert found == lint(FEATURE, definitions=known.definitions, domain=DOMAIN)


@pytest.mark.timeout(120)
def test_a_pattern_that_takes_for_ever_costs_only_the_findings_that_need_it() -> None:
    known = Known(definitions=(step("(a+)+$", "re"),), domain=DOMAIN, max_scenarios=9)
    assert [each.code for each in lint_within(FEATURE, known, seconds=8)] == ["avoided-term"]
