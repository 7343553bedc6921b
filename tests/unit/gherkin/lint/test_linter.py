"""The linter of scenarios, and `scenarist lint`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from gherkin.domain.language import Domain, Term
from gherkin.feature.steps import StepDefinition, catalogue
from gherkin.lint.findings import RULES, Finding
from gherkin.lint.linter import findings_in_words, lint

GOOD = """Feature: Delivery

  Scenario: Large orders are delivered free of charge
    Given a cart with "Emma" for 50.00 euros
    When I check out
    Then delivery costs 0.00 euros
    And I pay 50.00 euros
"""
STEPS = catalogue(
    {"features/steps/shop.py": "@given('a cart with \"{title}\" for {price} euros')\ndef f(context): ...\n"}
)


def feature(*steps: str, head: str = "") -> str:
    body = "\n".join(f"    {step}" for step in steps)
    return f"Feature: Shop\n\n{head}  Scenario: One\n{body}\n"


def codes(found: list[Finding]) -> list[tuple[str, int]]:
    return [(each.code, each.line) for each in found]


def test_a_good_feature_has_no_findings() -> None:
    assert lint(GOOD, definitions=STEPS) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Feature: x\n\n  Scenaro: y\n    When z\n", ("not-gherkin", 3)),
        (feature("When I pay"), ("no-then", 3)),
        (feature("When I pay", "Then 3", "When I leave", "Then 4"), ("several-whens", 6)),
        (feature("When I pay", "Then it works correctly"), ("vague-outcome", 5)),
        (feature("When I pay", "Then the receipt is shown as expected"), ("vague-outcome", 5)),
        (feature("When I pay", "Then everything is fine"), ("vague-outcome", 5)),
        (feature("When I pay and I leave", "Then 3"), ("conjunction-step", 4)),
        (feature("When I pay", "Then the result is correct"), ("vague-outcome", 5)),
        (feature("When I pay", "Then my totals are right."), ("vague-outcome", 5)),
        (feature("When I click the buy button", "Then 3"), ("ui-words", 4)),
        (feature("When parse_date reads the text", "Then 3"), ("implementation-words", 4)),
        (feature("When parseDate reads the text", "Then 3"), ("implementation-words", 4)),
        (feature("When the while loop pops", "Then 3"), ("implementation-words", 4)),
        (feature("When the SQL is run", "Then 3"), ("implementation-words", 4)),
        (feature("When I pay", "Then the database holds 3 orders"), ("implementation-words", 5)),
        (feature("When I call pay_now(3)", "Then 3"), ("implementation-words", 4)),
        (
            feature("When I pay", "Then 3", "", "  Scenario: one", "    When x", "    Then 3"),
            ("duplicate-name", 7),
        ),
        (
            "Feature: x\n\n  Scenario Outline: y\n    When I pay <sum>\n    Then 3\n\n    Examples:\n      "
            "| sum | tip |\n"
            "      | 1 | 2 |\n      | 2 | 3 |\n",
            ("unused-column", 8),
        ),
        (
            "Feature: x\n\n  Scenario Outline: y\n    When I pay <sum>\n    Then 3\n\n    Examples:\n      "
            "| sum |\n      | 1 |\n",
            ("single-row-outline", 3),
        ),
        (
            "# language: de\nFunktion: x\n\n  Szenario: y\n    Wenn a\n    Dann 3\n    Wenn b\n    Dann 4\n",
            ("several-whens", 7),
        ),
    ],
)
def test_a_finding_has_its_code_and_line(text: str, found: tuple[str, int]) -> None:
    assert found in codes(lint(text))


@pytest.mark.parametrize(
    "text",
    [
        feature("When I pay", "And I leave", "Then 3", "And 4"),
        feature("When I pay", 'Then I read "it works correctly"'),
        feature("When I pay", "Then bread and butter cost 3 euros"),
        feature("Given a class of 30 pupils at school", "When I pay", "Then 3").replace("class", "course"),
        feature("When I order from the menu", "Then my order is shipped within 2 days"),
        feature("When I turn right", "Then the right answer costs 3 euros"),
        feature("When I sell my iPhone on macOS", "Then 3"),
        feature("When I format the SQL", "Then 3").replace("Shop", "Formatting SQL"),
        feature("When I read 3 JSON files", "Then 3").replace(
            "Feature: Shop\n", "Feature: Shop\n  So that JSON files are read\n"
        ),
    ],
)
def test_what_is_fine_is_left_alone(text: str) -> None:
    assert lint(text) == []


def test_a_step_that_exists_under_other_words_is_an_error() -> None:
    near = feature('Given a cart containing "Emma" for 50.00 euros', "When I pay", "Then 3")
    found = lint(near, definitions=STEPS)
    assert codes(found) == [("near-duplicate-step", 4)] and found[0].level == "error"
    assert "features/steps/shop.py:2" in found[0].message
    other = [StepDefinition(kind="when", pattern="a cart with {x}", path="s.py", line=1, function="f")]
    assert lint(GOOD, definitions=other) == [], "another kind of step is another step"


@pytest.mark.parametrize(
    ("pattern", "step"),
    [
        ("the day is {day}", "the day is 2026-03-01"),
        ("I pay in {cur}", "I pay in EUR"),
        ("a cart for {n:d} people", "a cart for 12 people"),
        ("the day is {day:Date}", "the day is 2026-03-01"),
    ],
)
def test_a_step_that_a_definition_matches_is_no_near_duplicate(pattern: str, step: str) -> None:
    steps = catalogue({"s.py": f"@given({pattern!r})\ndef f(context): ...\n"})
    assert lint(feature(f"Given {step}", "When I go", "Then 3"), definitions=steps) == []
    near = feature(f"Given {step} now", "When I go", "Then 3")
    if not pattern.endswith("}"):
        assert codes(lint(near, definitions=steps)) == [("near-duplicate-step", 4)]


def test_the_steps_of_an_outline_are_matched_with_the_values_of_their_rows() -> None:
    steps = catalogue({"s.py": "@given('I pay {sum:d} euros')\ndef f(context): ...\n"})
    outline = (
        "Feature: x\n\n  Scenario Outline: y\n    Given I pay <sum> euros\n    Then 3\n\n"
        "    Examples:\n      | sum |\n      | 1 |\n      | {} |\n"
    )
    assert lint(outline.format("2"), definitions=steps) == []
    assert codes(lint(outline.format("two"), definitions=steps)) == [("near-duplicate-step", 4)]


def test_words_about_code_are_fine_where_the_project_speaks_of_them() -> None:
    text = feature("When the SQL is read", "Then 3")
    assert codes(lint(text)) == [("implementation-words", 4)]
    assert lint(text, domain=Domain(terms=(Term(term="SQL statement"),))) == []
    assert (
        lint(text, definitions=catalogue({"s.py": "@when('the SQL is read')\ndef f(context): ...\n"})) == []
    )


def test_features_are_read_in_the_language_behave_is_configured_for(tmp_path: Path) -> None:
    path = tmp_path / "f.feature"
    path.write_text("Funktionalität: x\n\n  Szenario: y\n    Wenn z\n    Dann 3\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["lint", str(path)])
    assert done.exit_code == 1 and "write “# language: de” on the first line" in done.output
    (tmp_path / "behave.ini").write_text("[behave]\nlang = de\n")
    assert CliRunner().invoke(app, ["lint", str(path)]).exit_code == 0


def test_the_domain_language_is_kept() -> None:
    domain = Domain(terms=(Term(term="customer", avoid=("client",)),))
    found = lint(feature("Given two clients", "When I pay", 'Then "client" is printed'), domain=domain)
    assert codes(found) == [("avoided-term", 4)] and "“customer”, not “client”" in found[0].message


def test_criteria_and_scenarios_are_traced_both_ways() -> None:
    criteria = ["Delivery is free from 50 euros on", "Refunds are paid back within three days"]
    found = lint(GOOD, criteria=criteria)
    assert codes(found) == [("criterion-without-scenario", 0)] and "criterion 2" in found[0].message
    tagged = GOOD.replace("  Scenario:", "  @ac-1 @ac-2\n  Scenario:")
    assert lint(tagged, criteria=criteria) == []
    assert codes(lint(GOOD, criteria=["Passwords need eight letters"])) == [
        ("criterion-without-scenario", 0),
        ("scenario-without-criterion", 3),
    ]


def test_too_many_scenarios() -> None:
    text = "Feature: x\n" + "".join(f"\n  Scenario: s{at}\n    When a\n    Then {at}\n" for at in range(4))
    assert codes(lint(text, max_scenarios=3)) == [("too-many-scenarios", 15)]


def test_the_command_reads_steps_and_domain_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "features" / "steps").mkdir(parents=True)
    (tmp_path / ".scenarist").mkdir()
    (tmp_path / "features/steps/s.py").write_text(
        'from behave import when\n\n\n@when("I check out now")\ndef f(context): ...\n'
    )
    (tmp_path / ".scenarist/domain.yml").write_text("terms: [{term: buyer, avoid: [customer]}]\n")
    path = tmp_path / "features" / "shop.feature"
    path.write_text(feature("Given a customer", "When I check out nows", "Then 3"))

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["lint", *words])
        return done.exit_code, done.output

    code, text = run(str(tmp_path))
    assert code == 1
    assert f"{path}:5: error near-duplicate-step: " in text and f"{path}:4: warning avoided-term: " in text
    assert text.splitlines()[-1] == "1 file(s): 1 error(s), 1 warning(s)"
    path.write_text(feature("Given a customer", "When I check out now", "Then 3"))
    assert run(str(path))[0] == 0 and run("--strict", str(path))[0] == 1
    assert [row["code"] for row in json.loads(run("--json", str(path))[1])] == ["avoided-term"]
    done = CliRunner().invoke(app, ["lint", str(tmp_path / "none.feature")])
    assert "SCN-7012" in str(done.exception) and done.exit_code == 1


def test_every_code_has_a_rule() -> None:
    from typing import get_args

    from gherkin.lint.findings import LintCode

    assert set(RULES) == set(get_args(LintCode))


def test_names_that_the_issue_of_a_library_uses_are_no_implementation_words() -> None:
    text = feature("When hide_input is set", "Then 2 tokens are shown")
    assert codes(lint(text)) == [("implementation-words", 4)]
    assert lint(text, words=["click.prompt", "hide_input"]) == []


def test_findings_are_told_with_scenario_and_line_and_none_twice() -> None:
    text = feature("When hide_input is set", "Then it works correctly")
    found = lint(text)
    assert findings_in_words(text, [*found, *found]) == (
        "line 4, “One”: “hide_input” is about the code: say what can be observed.",
        "line 5, “One”: “it works” can not be checked: say what is seen, with its value.",
    )
    assert findings_in_words("Feature", lint("Feature")) != ()
