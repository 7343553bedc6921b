"""Changes of what decides about them: tests, their configuration, scenarios beside the change, kinds of work,
faults."""

from pathlib import Path

import pytest

from runners.verify.claim import MutationSettings
from runners.verify.gate import biting
from tests.support.waiting import HANG_S
from tests.support.workbench import (
    BASE,
    FEATURE,
    SPEC,
    STEPS,
    WORK,
    Files,
    Workbench,
    codes,
    sandboxed_suites,
)

TESTS = (
    "import pytest\n\nfrom calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n    assert "
    "add(0, 0) == 0\n\n\n"
    "def test_near():\n    assert add(0.1, 0.2) == pytest.approx(0.3, abs=0.001)\n"
)
STRONG = {**BASE, "test_calc.py": TESTS}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"test_calc.py": TESTS.replace("    assert add(0, 0) == 0\n", "")}, "test-weakened"),
        (
            {"test_calc.py": TESTS.replace("assert add(0, 0) == 0", "assert add(0, 0) or True")},
            "test-weakened",
        ),
        ({"test_calc.py": TESTS.replace("abs=0.001", "abs=10")}, "test-weakened"),
        (
            {
                "test_calc.py": TESTS.replace(
                    "    assert add(1", "    if add:\n        return\n    assert add(1"
                )
            },
            "test-weakened",
        ),
        (
            {
                "test_calc.py": TESTS.replace(
                    "    assert add(1, 2) == 3\n",
                    "    try:\n        assert add(1, 2) == 3\n    except AssertionError:\n        pass\n",
                )
            },
            "test-weakened",
        ),
        (
            {"test_calc.py": TESTS.replace("def test_near", "@pytest.mark.skip\ndef test_near")},
            "test-weakened",
        ),
        ({"conftest.py": "collect_ignore = ['test_calc.py']\n"}, "test-config-changed"),
        ({"pytest.ini": "[pytest]\naddopts = --deselect test_calc.py\n"}, "test-config-changed"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-k near'\n"}, "test-config-changed"),
        ({"setup.cfg": "[tool:pytest]\naddopts = -k near\n"}, "test-config-changed"),
        ({"behave.ini": "[behave]\ndry_run = true\n"}, "test-config-changed"),
        (
            {
                "features/environment.py": "def after_step(context, step):\n    from behave.model_type "
                "import Status\n"
                "    step.status = Status.passed\n"
            },
            "test-config-changed",
        ),
        ({"sitecustomize.py": "import builtins\n"}, "test-config-changed"),
    ],
)
def test_what_decides_may_not_be_changed_unasked(bench: Workbench, change: Files, code: str) -> None:
    assert code in bench.seen({**WORK, **change}, base=STRONG)


@pytest.mark.parametrize(
    ("change", "asked", "what"),
    [
        (
            {"test_calc.py": TESTS.replace("    assert add(0, 0) == 0\n", "")},
            "Drop the useless half of `test_add`.",
            "2 assertions before, 1 now",
        ),
        ({"conftest.py": "X = 1\n"}, "Doubling. Put its fixture into conftest.py", "how tests are run"),
        (
            {"test_calc.py": TESTS[: TESTS.index("def test_near")].rstrip() + "\n"},
            "Remove test_near, it is of no use.",
            None,
        ),
        (
            {"test_calc.py": None, "test_more.py": TESTS},
            "Rename test_calc.py to test_more.py",
            None,
        ),
    ],
)
def test_what_the_issue_names_may_be_changed_and_is_shown(
    bench: Workbench, change: Files, asked: str, what: str | None
) -> None:
    verdict = bench.verdict({**WORK, **change}, base=STRONG, asked=asked)
    assert verdict.green, verdict.problems
    assert [what in each.what for each in verdict.oracle if what] == ([True] if what else [])


@pytest.mark.parametrize(
    "change",
    [
        {"test_calc.py": TESTS.replace("add(0, 0) == 0", "add(0, 1) == 1")},
        {"test_calc.py": TESTS + "\n\ndef test_more():\n    assert add(2, 2) == 4\n"},
        {"pyproject.toml": "[project]\nname = 'calc'\nversion = '2'\n"},
        {"tests/test_other.py": "def test_other():\n    assert True\n"},
    ],
)
def test_honest_changes_of_tests_pass(bench: Workbench, change: Files) -> None:
    assert bench.verdict({**WORK, **change}, base=STRONG).green


def test_a_second_hollow_step_of_the_same_name_is_found(bench: Workbench) -> None:
    hollow = "from behave import then\n\n\n@then('nothing')\ndef step_impl(context):\n    pass\n"
    base = {**BASE, "features/steps/old.py": hollow}
    more = hollow + "\n\n@then('all is well')\ndef step_impl(context):\n    pass\n"
    verdict = bench.verdict({**WORK, "features/steps/old.py": more}, base=base)
    assert codes(verdict) == {"step-asserts-nothing"}


# -- scenarios beside the change ---------------------------------------------------------------------------

PLAIN = {path: text for path, text in BASE.items() if not path.startswith("features/")}
BESIDE = {
    ".scenarist/shadow/issue_1_double.feature": next(iter(SPEC.values())),
    ".scenarist/shadow/steps/double_steps.py": STEPS.replace("import when", "import then, when")
    + "\n\n@then('I get {n:d}')\ndef get(context, n):\n    assert context.result == n, context.result\n",
}
CODE = {"calc.py": WORK["calc.py"]}
OWN_TEST = "import calc\n\n\ndef test_double():\n    assert calc.double(4) == 8\n"


def test_scenarios_beside_the_change_prove_it_with_its_own_test(bench: Workbench) -> None:
    verdict = bench.verdict({**CODE, "test_double.py": OWN_TEST}, base=PLAIN, spec={}, shadow=BESIDE)
    assert verdict.green, verdict.problems
    assert verdict.shadow
    assert [(each.name, each.base, each.head) for each in verdict.scenarios] == [
        ("Doubling", "error", "passed")
    ]
    assert [(each.name, each.base, each.head) for each in verdict.tests] == [
        ("test_double", "failed", "passed")
    ]
    assert {suite.name for suite in verdict.suites} == {"pytest"}


def test_only_the_changed_test_modules_are_run_for_what_is_new(bench: Workbench) -> None:
    # A doctest in the product cannot be run on the base, and is no test that could not be loaded there.
    doctest = "def double(n):\n    '''\n    >>> double(2)\n    4\n    '''\n    return 2 * n\n"
    base = {**PLAIN, "pytest.ini": "[pytest]\naddopts = --doctest-modules\n"}
    code = {"calc.py": BASE["calc.py"] + "\n\n" + doctest}
    verdict = bench.verdict({**code, "test_double.py": OWN_TEST}, base=base, spec={}, shadow=BESIDE)
    assert verdict.green, verdict.problems
    assert [each.name for each in verdict.tests] == ["test_double"]
    ran = {item.purpose: item.command for item in verdict.evidence}
    assert all(ran[f"new tests on the {side} code"].endswith("test_double.py") for side in ("old", "new"))


@pytest.mark.parametrize(("name", "proven"), [("test_double", False), ("it_doubles", True)])
def test_a_test_that_the_repository_names_otherwise_is_pointed_out(
    bench: Workbench, name: str, proven: bool
) -> None:
    base = {
        **PLAIN,
        "pytest.ini": "[pytest]\npython_functions = it_*\n",
        "test_calc.py": PLAIN["test_calc.py"].replace("def test_", "def it_"),
    }
    tests = {"test_double.py": OWN_TEST.replace("test_double", name)}
    verdict = bench.verdict({**CODE, **tests}, base=base, spec={}, shadow=BESIDE)
    assert codes(verdict) == (set() if proven else {"no-new-test"})
    said = " ".join(problem.message for problem in verdict.problems)
    assert ("pytest finds no test in test_double.py" in said and "`python_functions`" in said) is not proven


def test_a_test_that_passes_after_others_alone_proves_nothing(bench: Workbench) -> None:
    after_others = "import sys\n\n\ndef test_double():\n    assert 'test_calc' in sys.modules\n"
    verdict = bench.verdict({**CODE, "test_double.py": after_others}, base=PLAIN, spec={}, shadow=BESIDE)
    assert codes(verdict) == {"no-new-test"}


_MARKED = OWN_TEST.replace("import calc", "import pytest\n\nimport calc")


@pytest.mark.parametrize(
    "test",
    [
        "",
        "import calc\n\n\ndef test_it():\n    assert calc.add(1, 1) == 2\n",
        # It asserts nothing: it only notices that the function is there.
        "import calc\n\n\ndef test_double():\n    calc.double(4)\n",
        pytest.param(
            "from calc import double\n\n\ndef test_double():\n    assert double(4) is not None\n",
            marks=pytest.mark.slow,
        ),
        *(
            pytest.param(text, marks=pytest.mark.slow)
            for text in (
                _MARKED.replace("def test", "@pytest.mark.skip\ndef test"),
                _MARKED.replace("def test", "@pytest.mark.xfail\ndef test"),
                _MARKED.replace("def test_double(", "@pytest.mark.parametrize('n', [])\ndef test_double(n"),
                OWN_TEST.replace("test_double", "double_test"),
            )
        ),
    ],
)
def test_a_change_without_a_test_of_its_own_is_refused(bench: Workbench, test: str) -> None:
    tests = {"test_double.py": test} if test else {}
    verdict = bench.verdict({**CODE, **tests}, base=PLAIN, spec={}, shadow=BESIDE)
    assert codes(verdict) == {"no-new-test"}


def test_a_test_that_sees_the_effect_alone_is_proof(bench: Workbench) -> None:
    # It drops a result, like the lazy one above, whose code does nothing else.
    code = BASE["calc.py"] + "\n\nSEEN = []\n\n\ndef double(n):\n    SEEN.append(n)\n    return 2 * n\n"
    test = "import calc\n\n\ndef test_double():\n    calc.double(4)\n    assert calc.SEEN == [4]\n"
    verdict = bench.verdict({"calc.py": code, "test_double.py": test}, base=PLAIN, spec={}, shadow=BESIDE)
    assert verdict.green, verdict.problems


@pytest.mark.parametrize(
    "test",
    [
        "import calc\n\n\ndef test_double():\n    assert callable(calc.double)\n",
        pytest.param(
            "from unittest import mock\n\nimport calc\n\n\ndef test_double():\n"
            "    with mock.patch.object(calc, 'double', return_value=8) as double:\n"
            "        assert calc.double(4) == 8\n        double.assert_called_once_with(4)\n",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_test_that_does_not_run_the_code_is_none(bench: Workbench, test: str) -> None:
    verdict = bench.verdict({**CODE, "test_own.py": test}, base=PLAIN, spec={}, shadow=BESIDE)
    assert codes(verdict) == {"no-new-test"}, verdict.problems
    # A value outside of functions cannot be broken so, and a test of it runs no function.
    limit = {"calc.py": WORK["calc.py"] + "\nLIMIT = 9\n"}
    own = {"test_own.py": "import calc\n\n\ndef test_limit():\n    assert calc.LIMIT == 9\n"}
    verdict = bench.verdict({**limit, **own}, base=PLAIN, spec={}, shadow=BESIDE)
    assert verdict.green, verdict.problems


@pytest.mark.parametrize(
    "test",
    [
        "import calc\n\n\ndef test_mean():\n    calc.mean([])\n",
        pytest.param(
            "from calc import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_test_that_notices_a_crash_or_what_the_code_gives_back_is_one(bench: Workbench, test: str) -> None:
    mean = "\n\ndef mean(values):\n    return total(values) / max(1, len(values))\n"
    total = "\n\ndef total(values):\n    return sum(values)\n"
    base = {
        **PLAIN,
        "calc.py": BASE["calc.py"]
        + mean.replace("total", "sum").replace("max(1, len(values))", "len(values)"),
    }
    code = {"calc.py": WORK["calc.py"] + mean + total}
    verdict = bench.verdict({**code, "test_own.py": test}, base=base, spec={}, shadow=BESIDE)
    assert verdict.green, verdict.problems


def test_a_repository_without_tests_needs_none_beside_the_scenarios(bench: Workbench) -> None:
    base = {"calc.py": BASE["calc.py"]}
    verdict = bench.verdict(CODE, base=base, spec={}, shadow=BESIDE)
    assert verdict.green, verdict.problems


def test_a_scenario_beside_the_change_that_was_green_proves_nothing(bench: Workbench) -> None:
    steps = ".scenarist/shadow/steps/double_steps.py"
    cheat = {**BESIDE, steps: BESIDE[steps].replace("calc.double(n)", "8")}
    verdict = bench.verdict({**CODE, "test_double.py": OWN_TEST}, base=PLAIN, spec={}, shadow=cheat)
    assert codes(verdict) == {"scenario-not-red", "scenario-unrelated"}


def test_what_else_lies_beside_the_change_decides_nothing(bench: Workbench) -> None:
    steps = ".scenarist/shadow/steps/double_steps.py"
    cheat = {
        **BESIDE,
        steps: BESIDE[steps].replace("assert context.result == n", "assert context.result == n + 1"),
        ".scenarist/shadow/environment.py": "def before_scenario(context, scenario):\n    "
        "scenario.skip()\n\n\n"
        "def before_step(context, step):\n    step.run = lambda *a, **k: True\n",
    }
    verdict = bench.verdict({**CODE, "test_double.py": OWN_TEST}, base=PLAIN, spec={}, shadow=cheat)
    assert [proof.head for proof in verdict.scenarios] == ["failed"], "its hooks are not there"


def test_a_common_word_in_the_issue_asks_for_nothing(bench: Workbench) -> None:
    skipped = {
        "test_calc.py": TESTS.replace("import pytest\n", "import pytest\n\npytestmark = pytest.mark.skip\n")
    }
    gone = {
        "features/add.feature": (
            "Feature: Add\n\n  Scenario: Other\n    When I add 1 and 2\n    Then I get 3\n"
        )
    }
    asked = "In the module for Adding and adding, double."
    assert "test-weakened" in codes(bench.verdict({**WORK, **skipped}, base=STRONG, asked=asked))
    assert "regression" in codes(
        Workbench.verdict(bench, {**WORK, **gone, "test_calc.py": TESTS}, base=STRONG, asked=asked)
    )


def test_a_hollow_step_beside_the_change_is_found(bench: Workbench) -> None:
    steps = ".scenarist/shadow/steps/double_steps.py"
    cheat = {**BESIDE, steps: BESIDE[steps].replace("assert context.result == n, context.result", "pass")}
    verdict = bench.verdict({**CODE, "test_double.py": OWN_TEST}, base=PLAIN, spec={}, shadow=cheat)
    assert "step-asserts-nothing" in codes(verdict)


# -- kinds of work -----------------------------------------------------------------------------------------

KEPT = {
    "features/issue_1_add.feature": (
        "Feature: Add\n\n  Scenario: Zero\n    When I add 0 and 2\n    Then I get 2\n"
    )
}
TIDIER = {"calc.py": "def add(first, second):\n    return first + second\n"}


def test_a_refactoring_keeps_its_scenarios_green(bench: Workbench) -> None:
    verdict = bench.verdict(TIDIER, spec=KEPT, kind="refactoring")
    assert verdict.green, verdict.problems
    assert [(each.base, each.head) for each in verdict.scenarios] == [("passed", "passed")]


def test_a_refactoring_whose_scenario_was_red_is_none(bench: Workbench) -> None:
    assert "scenario-not-kept" in codes(bench.verdict(WORK, kind="refactoring"))


def test_a_refactoring_leaves_the_tests_alone(bench: Workbench) -> None:
    edited = {**TIDIER, "test_calc.py": BASE["test_calc.py"] + "\n# tidied\n"}
    assert codes(bench.verdict(edited, spec=KEPT, kind="refactoring")) == {"test-changed"}


@pytest.mark.parametrize(
    "work",
    [
        {"README.md": "# Calc\n"},
        {"docs/guide.rst": "Guide\n"},
        {"calc.py": '"""Sums."""\n\n\n# adds\ndef add(a, b):\n    """The sum."""\n    return a + b\n'},
    ],
)
def test_a_chore_needs_no_scenario(bench: Workbench, work: Files) -> None:
    verdict = bench.verdict(work, spec={}, kind="chore")
    assert verdict.green, verdict.problems


@pytest.mark.parametrize(
    "work",
    [
        {"calc.py": WORK["calc.py"]},
        {"README.md": "x", "requirements.txt": "evil\n"},
        {"Makefile": "all:\n"},
        {"new.py": '"""Only words."""\n'},
    ],
)
def test_nothing_passes_as_a_chore_that_changes_behaviour(bench: Workbench, work: Files) -> None:
    assert "not-a-chore" in codes(bench.verdict(work, spec={}, kind="chore"))


# -- faults put into the change ----------------------------------------------------------------------------


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(biting, "_LEAST_S", HANG_S)


@pytest.mark.usefixtures("no_hurry")
def test_faults_in_the_change_are_noticed(bench: Workbench) -> None:
    verdict = bench.verdict(WORK, mutation=MutationSettings(mutants=10, floor=100))
    assert verdict.green, verdict.problems
    assert verdict.bite is not None
    assert verdict.bite.tried == verdict.bite.killed == 3


@pytest.mark.usefixtures("no_hurry")
def test_a_test_that_fails_anyway_notices_no_fault(bench: Workbench) -> None:
    base = {**BASE, "test_bad.py": "def test_bad():\n    assert not 'as it should be'\n"}
    more = {**WORK, "calc.py": WORK["calc.py"] + "\n\ndef triple(n):\n    return 3 * n\n"}
    verdict = bench.verdict(more, base=base, mutation=MutationSettings(mutants=20, floor=0))
    assert verdict.bite is not None
    assert (verdict.bite.tried, verdict.bite.killed) == (6, 3)


@pytest.mark.usefixtures("no_hurry")
def test_faults_in_lines_that_run_and_that_nobody_notices_are_named_in_a_warning(bench: Workbench) -> None:
    lazy = {**WORK, "calc.py": WORK["calc.py"] + "\n\ndef triple(n):\n    return 3 * n\n"}
    runs_it = "from calc import triple\n\n\ndef test_triple():\n    triple(1)\n"
    settings = MutationSettings(mutants=20, floor=90)
    verdict = bench.verdict({**lazy, "test_triple.py": runs_it}, mutation=settings)
    assert verdict.bite is not None
    assert (verdict.bite.tried, verdict.bite.killed, verdict.bite.unreached) == (6, 3, 0)
    assert all("calc.py:10:" in survivor for survivor in verdict.bite.survivors)
    assert [doubt.code for doubt in verdict.doubts] == ["tests-do-not-bite"]
    assert verdict.status == "warning", verdict.problems


@pytest.mark.usefixtures("no_hurry")
def test_faults_in_lines_that_nothing_runs_are_a_warning_if_they_are_half_of_all(bench: Workbench) -> None:
    lazy = {**WORK, "calc.py": WORK["calc.py"] + "\n\ndef triple(n):\n    return 3 * n\n"}
    verdict = bench.verdict(lazy, mutation=MutationSettings(mutants=20, floor=90))
    assert verdict.bite is not None
    assert (verdict.bite.tried, verdict.bite.killed, verdict.bite.unreached) == (6, 3, 3)
    assert verdict.status == "warning", verdict.problems
    assert [doubt.code for doubt in verdict.doubts] == ["untested-code"]
    assert all("no scenario or test runs this line" in each for each in verdict.bite.survivors)


def test_scenarios_that_lean_on_the_one_before_are_flaky(bench: Workbench) -> None:
    feature = (
        "Feature: Double\n\n  Scenario: Doubling\n    When I double 4\n    Then I get 8\n\n"
        "  Scenario: What was doubled is remembered\n    Then the last was 8\n"
    )
    steps = STEPS.replace("import when", "import then, when") + (
        "\n\n@then('the last was {n:d}')\ndef last_was(context, n):\n    assert calc.last() == n\n"
    )
    code = WORK["calc.py"].replace(
        "    return 2 * n", "    global _last\n    _last = 2 * n\n    return _last"
    )
    code += "\n\n_last = None\n\n\ndef last():\n    return _last\n"
    verdict = bench.verdict(
        {"calc.py": code, "features/steps/double_steps.py": steps}, spec={FEATURE: feature}
    )
    assert codes(verdict) == {"scenario-flaky"}
    assert ["“What was doubled is remembered”" in each.message for each in verdict.problems] == [True]
    assert any(item.command.endswith("'(last scenario first)'") for item in verdict.evidence)


def test_rules_outlines_and_namesakes_are_the_same_backwards(bench: Workbench, tmp_path: Path) -> None:
    feature = (
        "Feature: Double\n\n  Scenario Outline: Many\n    When I double <n>\n    Then I get <m>\n\n"
        "    Examples:\n      | n | m |\n      | 1 | 2 |\n      | 2 | 4 |\n\n"
        "  Rule: Large\n\n    Scenario: One\n      When I double 400\n      Then I get 800\n\n"
        "  Rule: Small\n\n    Scenario: One\n      When I double 4\n      Then I get 8\n"
    )
    wrong = WORK["calc.py"].replace("2 * n", "2 * n if n < 100 else 0")
    for path, text in {**BASE, **WORK, "calc.py": wrong, FEATURE: feature}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    suites = sandboxed_suites()
    forth, back = (suites.behave(tmp_path, [FEATURE], backwards=way) for way in (False, True))
    assert forth.outcomes == back.outcomes and len(back.outcomes) == 4
    assert [name for name, outcome in back.outcomes.items() if outcome == "failed"] == [f"{FEATURE}::One"]
    assert bench.verdict(WORK, spec={FEATURE: feature}).green


def test_a_scenario_that_leaves_a_file_behind_is_not_flaky(bench: Workbench) -> None:
    """Each run begins on fresh files."""
    once = WORK["calc.py"].replace(
        "return 2 * n",
        "import os\n    fresh = not os.path.exists('mark')\n    open('mark', 'w').close()\n    return 2 * "
        "n if fresh else 0",
    )
    assert bench.verdict({**WORK, "calc.py": once}).green
