"""A scenario that holds without the change is reported as unchanged; it proves nothing and fails nobody."""

from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, WORK, Workbench, codes

# Steps that can be loaded on the base, so that a scenario can be green there.
LATE = STEPS.replace("import calc\n\n\n", "").replace(
    "    context.result", "    import calc\n    context.result"
)
TWO = {
    FEATURE: SPEC[FEATURE] + "\n  Scenario: Adding still works\n    When I add 2 and 2\n    Then I get 4\n"
}
ONLY = {FEATURE: "Feature: Double\n\n  Scenario: Adding\n    When I add 2 and 2\n    Then I get 4\n"}


def test_a_scenario_that_holds_already_is_unchanged_beside_a_red_one(bench: Workbench) -> None:
    verdict = bench.verdict({**WORK, "features/steps/double_steps.py": LATE}, spec=TWO)
    assert verdict.green, verdict.problems
    assert [(each.proven, each.unchanged) for each in verdict.scenarios] == [(True, False), (False, True)]


def test_without_any_red_scenario_nothing_is_proven(bench: Workbench) -> None:
    verdict = bench.verdict({"calc.py": WORK["calc.py"]}, spec=ONLY)
    assert codes(verdict) == {"scenario-not-red"}
    assert "“Adding”" in verdict.problems[0].message


def test_a_scenario_that_is_skipped_on_the_base_is_not_unchanged(bench: Workbench) -> None:
    hook = {
        "features/environment.py": (
            "import calc\n\n\ndef before_scenario(context, scenario):\n"
            "    if scenario.name == 'Adding still works' and not hasattr(calc, 'double'):\n        "
            "scenario.skip('later')\n"
        )
    }
    verdict = bench.verdict({**WORK, "features/steps/double_steps.py": LATE}, spec=TWO, base={**BASE, **hook})
    assert "scenario-not-red" in codes(verdict), verdict.problems


def test_refactorings_keep_what_is_green(bench: Workbench) -> None:
    tidier = {"calc.py": "def add(first, second):\n    return first + second\n"}
    verdict = bench.verdict(tidier, spec=ONLY, kind="refactoring")
    assert verdict.green, verdict.problems
    assert not verdict.scenarios[0].unchanged and verdict.scenarios[0].proven
