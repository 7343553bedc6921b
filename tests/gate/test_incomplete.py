"""A suite that cannot run all of itself is never quietly green."""

import pytest

from runners.verify.verdict import Verdict
from tests.support.workbench import BASE, STEPS, WORK, Files, Workbench, codes

TWO = {
    "calc.py": BASE["calc.py"] + "\n\ndef keep():\n    return 1\n",
    "test_calc.py": None,
    "test_a.py": "def test_a():\n    assert False\n",
    "test_b.py": "import calc\n\n\ndef test_b():\n    assert calc.keep() == 1\n",
}
BROKEN = {**WORK, "calc.py": WORK["calc.py"] + "\n\ndef keep():\n    return 2\n"}
KEPT = {**WORK, "calc.py": WORK["calc.py"] + "\n\ndef keep():\n    return 1\n"}


def base(files: Files) -> dict[str, str]:
    both = {**BASE, **files}
    return {path: text for path, text in both.items() if text is not None}


def doubted(verdict: Verdict) -> set[str]:
    return {doubt.code for doubt in verdict.doubts}


@pytest.mark.parametrize(
    "stops",
    [
        # Two more spellings of `--exitfirst`.
        pytest.param({"pytest.ini": "[pytest]\naddopts = -x\n"}, id="x", marks=pytest.mark.slow),
        pytest.param(
            {"pytest.ini": "[pytest]\naddopts = --maxfail=1\n"}, id="maxfail", marks=pytest.mark.slow
        ),
        pytest.param({"pytest.ini": "[pytest]\naddopts = --stepwise\n"}, id="stepwise"),
        pytest.param(
            {"setup.cfg": "[tool:pytest]\naddopts = --exitfirst --strict-config\ncache_dir = .cache\n"},
            id="exitfirst",
        ),
        pytest.param({"test_a.py": "import not_there\n"}, id="collection"),
    ],
)
def test_what_makes_pytest_stop_early_is_lifted(bench: Workbench, stops: Files) -> None:
    start = base({**TWO, **stops})
    verdict = bench.verdict(BROKEN, base=start)
    assert codes(verdict) == {"regression"}
    assert ["test_b.py::test_b" in problem.message for problem in verdict.problems] == [True]
    assert bench.verdict(KEPT, base=start).green


def test_behave_is_not_stopped_by_its_configuration_either(bench: Workbench) -> None:
    more = {
        "behave.ini": "[behave]\nstop = true\ndry_run = true\n",
        "features/a.feature": (
            "Feature: A\n  Scenario: It never works\n    When I add 1 and 1\n    Then I get 3\n"
        ),
    }
    start = {**BASE, **more}
    verdict = bench.verdict(WORK, base=start)
    assert verdict.green, verdict.problems
    worse = {**WORK, "calc.py": WORK["calc.py"].replace("a + b", "a + a")}
    assert "features/add.feature::Adding" in bench.verdict(worse, base=start).problems[0].message


def test_the_cache_of_pytest_is_there_and_remembers_nothing(bench: Workbench) -> None:
    start = {
        **BASE,
        "pytest.ini": "[pytest]\naddopts = --ff --strict-config\n",
        "test_cache.py": (
            "def test_cache(request):\n    assert request.config.cache.get('a', 1) == 1\n    "
            "request.config.cache.set('a', 2)\n"
        ),
    }
    verdict = bench.verdict(WORK, base=start)
    assert verdict.status == "green", (verdict.problems, verdict.doubts)
    assert [suite.head.passed for suite in verdict.suites if suite.name == "pytest"] == [2]


def test_ids_that_differ_from_run_to_run_are_no_regressions(bench: Workbench) -> None:
    ids = (
        "import time, pytest, calc\n\n\n@pytest.mark.parametrize('n', [1], "
        "ids=[f'at-{time.time_ns()}'])\ndef test_id(n):\n    assert calc.keep() == n\n"
    )
    start = base({**TWO, "test_a.py": ids})
    assert bench.verdict(KEPT, base=start).green
    assert "regression" in codes(bench.verdict(BROKEN, base=start))


def test_a_suite_of_which_nothing_could_pass_is_a_warning(bench: Workbench) -> None:
    start = base({"test_calc.py": "import not_there\n\n\ndef test_add():\n    assert True\n"})
    verdict = bench.verdict(WORK, base=start)
    assert verdict.green
    assert verdict.status == "warning"
    assert doubted(verdict) == {"nothing-passes"}
    assert "not_there" in verdict.doubts[0].message


def test_a_suite_whose_tests_are_not_collected_is_a_warning(bench: Workbench) -> None:
    verdict = bench.verdict(WORK, base={**BASE, "pytest.ini": "[pytest]\npython_functions = never_*\n"})
    assert (verdict.status, doubted(verdict)) == ("warning", {"no-test-ran"})


def test_a_suite_of_which_a_third_fails_is_a_warning(bench: Workbench) -> None:
    failing = "def test_bad():\n    assert 0, 'the server is away'\n"
    third = "def test_one():\n    pass\n\n\ndef test_two():\n    pass\n"
    verdict = bench.verdict(WORK, base=base({"test_calc.py": failing + third}))
    assert (verdict.status, doubted(verdict)) == ("warning", {"many-fail"})
    assert "1 of 3 tests" in verdict.doubts[0].message and "server is away" in verdict.doubts[0].message
    fewer = failing + third + "\n\ndef test_three():\n    pass\n"
    assert bench.verdict(WORK, base=base({"test_calc.py": fewer})).status == "green"


def test_a_suite_that_never_ends_is_a_warning_and_not_run_again(bench: Workbench) -> None:
    bench.wall_s = 10
    verdict = bench.verdict(
        WORK, base={**BASE, "test_calc.py": "import time\n\n\ndef test_long():\n    time.sleep(300)\n"}
    )
    assert (verdict.status, doubted(verdict)) == ("warning", {"suite-timed-out"})
    assert sum("pytest" in item.command for item in verdict.evidence) == 1


def test_a_pytest_that_stops_in_the_middle_is_broken(bench: Workbench) -> None:
    stops = (
        "import pytest\n\n\ndef test_bad():\n    assert 0\n\n\ndef test_exit():\n    "
        "pytest.exit('enough', 3)\n\n\ndef test_z():\n    pass\n"
    )
    verdict = bench.verdict(WORK, base={**BASE, "test_calc.py": stops})
    assert codes(verdict) == {"environment-broken"}
    assert "stopped before" in verdict.problems[0].message


def test_steps_that_import_what_is_new_are_red_on_the_base_and_trusted(bench: Workbench) -> None:
    start = {path: text for path, text in BASE.items() if not path.startswith("features/")}
    steps = STEPS.replace("import when", "import then, when").replace(
        "import calc\n", "from calc import double\n"
    )
    steps = (
        steps.replace("calc.double", "double")
        + '\n\n@then("I get {n:d}")\ndef get(context, n):\n    assert context.result == n\n'
    )
    verdict = bench.verdict({"calc.py": WORK["calc.py"], "features/steps/steps.py": steps}, base=start)
    assert verdict.status == "green", verdict.problems
    assert [proof.base for proof in verdict.scenarios] == ["error"]


def test_a_new_failing_test_is_called_new(bench: Workbench) -> None:
    verdict = bench.verdict({**WORK, "test_new.py": "def test_new():\n    assert 0\n"})
    assert [problem.message for problem in verdict.problems] == ["test_new.py::test_new is new and fails."]


def test_nothing_else_is_run_for_scenarios_that_do_not_pass(bench: Workbench) -> None:
    wrong = {**WORK, "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return n * n\n"}
    verdict = bench.verdict(wrong)
    assert codes(verdict) == {"scenario-not-green"}
    assert {item.purpose for item in verdict.evidence} == {
        "scenarios on the old code",
        "scenarios on the new code",
    }


def test_tests_near_the_change_come_first(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.verify.gate.extent._LONG_S", 0.0)
    more = {f"test_other{n}.py": f"def test_other():\n    assert {n} >= 0\n" for n in range(3)}
    start = {**base({**TWO, "test_a.py": None}), **more}
    red = bench.verdict(BROKEN, base=start)
    assert codes(red) == {"regression"} and "test_b.py::test_b" in red.problems[0].message
    ran = [item.command for item in red.evidence if "new code" in item.purpose or "near" in item.purpose]
    assert [command.endswith("test_b.py") for command in ran if "pytest" in command] == [True]
    green = bench.verdict(KEPT, base=start)
    assert green.green
    assert "all tests on the new code" in {item.purpose for item in green.evidence}
