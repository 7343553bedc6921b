"""The gate on small repositories: honest work passes, each way to cheat or to be unlucky is named."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from runners.git.command import TreeEntry, commit_on, store_blob
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.claim import Claim
from runners.verify.diff import DiffLimits
from runners.verify.gate.feedback import feedback
from runners.verify.gate.gate import Gate
from runners.verify.suites.known import KnownRuns
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites
from runners.verify.verdict import Failure, Outcome, Verdict
from tests.support.waiting import HANG_S
from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, WORK, Files, Workbench, codes


def test_honest_work_is_proven(bench: Workbench) -> None:
    verdict = bench.verdict(WORK, commands=("python -m compileall -q calc.py", "test -f calc.py"))
    assert verdict.green, verdict.problems
    assert [(proof.name, proof.base, proof.head) for proof in verdict.scenarios] == [
        ("Doubling", "error", "passed")
    ]
    assert {suite.name: (suite.base.passed, suite.head.passed) for suite in verdict.suites} == {
        "behave": (1, 2),
        "pytest": (1, 1),
    }
    assert {item.exit_code for item in verdict.evidence} == {0, 1}
    assert Counter(item.purpose for item in verdict.evidence) == {
        "scenarios on the old code": 1,
        "scenarios on the new code": 1,
        "scenarios on the new code, in another order": 1,
        "all tests on the old code": 2,
        "all tests on the new code": 2,
        "the repository's own command": 2,
        "experiments on the scenarios": 2,
    }


def test_a_failing_assertion_is_red_too(bench: Workbench) -> None:
    base = {**BASE, "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return n\n"}
    verdict = bench.verdict(WORK, base=base)
    assert verdict.green, verdict.problems
    assert verdict.scenarios[0].base == "failed"
    assert "4" in verdict.scenarios[0].base_message


def test_work_that_does_not_do_it_is_red(bench: Workbench) -> None:
    wrong = {**WORK, "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return n * n\n"}
    verdict = bench.verdict(wrong)
    assert "scenario-not-green" in codes(verdict)
    text = feedback(verdict)
    assert "Doubling" in text and "16" in text and "Then I get 8" in text


def test_a_failure_names_the_innermost_place_and_what_stands_there(bench: Workbench) -> None:
    wrong = {
        **WORK,
        "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    table = {1: 2}\n    return table[n] + n\n",
    }
    text = feedback(bench.verdict(wrong))
    assert "at calc.py:7: return table[n] + n" in text
    assert "  n = 4\n  table = {1: 2}" in text
    bare = {**WORK, "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return n * n\n"}
    text = feedback(bench.verdict(bare))
    assert "at features/steps/steps.py:" in text and "assert context.result == n" in text
    assert "context.result = 16" in text


def test_what_failed_before_and_what_passed_before_are_told_apart(bench: Workbench) -> None:
    zero = BASE["test_calc.py"] + "\n\ndef test_zero():\n    assert add(0, 0) == 0\n"
    start = {**BASE, "test_calc.py": zero}
    wrong = {**WORK, "calc.py": WORK["calc.py"].replace("a + b", "a + b or 9")}
    first = bench.verdict(wrong, base=start)
    asked: list[tuple[str, str]] = []

    def diff(before: str, now: str) -> str:
        asked.append((before, now))
        return "-one\n+two"

    again = feedback(first, earlier=[first], diff=diff)
    assert "Failed in exactly the same way last time: test_calc.py::test_zero" in again and not asked
    worse = bench.verdict({**wrong, "calc.py": wrong["calc.py"].replace("a + b", "a * b")}, base=start)
    text = feedback(worse, earlier=[first], diff=diff)
    assert "Failed in exactly the same way last time: test_calc.py::test_zero" in text
    assert "Passed last time:" in text and "Adding" in text and text.endswith("-one\n+two")
    assert asked == [(first.head_sha, worse.head_sha)]
    assert "last time" not in feedback(first)


def test_the_same_failure_is_told_once(bench: Workbench) -> None:
    wrong = {**WORK, "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return n * n\n"}
    assert feedback(bench.verdict(wrong)).count("FAILED Doubling") == 1


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ({**WORK, FEATURE: SPEC[FEATURE].replace("8", "9")}, "feature-changed"),
        ({**WORK, FEATURE: None}, "feature-changed"),
        ({}, "no-change"),
        ({"calc.py": WORK["calc.py"]}, "step-undefined"),
        (
            {
                "calc.py": WORK["calc.py"],
                "features/steps/double_steps.py": STEPS.replace("calc.double(n)", "8"),
            },
            "scenario-not-red",
        ),
        ({**WORK, "test_calc.py": None}, "test-removed"),
        ({**WORK, "features/add.feature": None}, "test-removed"),
        (
            {**WORK, "calc.py": WORK["calc.py"].replace("a + b", "a - b")},
            "regression",
        ),
        ({**WORK, "test_calc.py": BASE["test_calc.py"].replace("test_add", "check_add")}, "regression"),
        ({**WORK, "test_new.py": "def test_new():\n    assert 1 == 2\n"}, "regression"),
        ({**WORK, ".github/workflows/ci.yml": "on: push\n"}, "protected-changed"),
        ({**WORK, ".scenarist.yml": "version: 1\n"}, "protected-changed"),
        ({**WORK, "calc.py": "def add(:\n"}, "no-scenario"),
        ({**WORK, "features/steps/broken.py": "import nowhere\n"}, "no-scenario"),
        (
            {
                **WORK,
                "features/environment.py": "import os\n\n\ndef before_all(context):\n    os._exit(0)\n",
            },
            "untrusted",
        ),
        (
            {
                **WORK,
                "features/environment.py": (
                    "def before_scenario(context, scenario):\n    scenario.skip('later')\n"
                ),
            },
            "scenario-not-green",
        ),
        (
            {**WORK, "calc.py": WORK["calc.py"].replace("return 2", "while True: pass\n    return 2")},
            "timed-out",
        ),
    ],
)  # fmt: skip
def test_what_must_not_pass(bench: Workbench, work: Files, code: str) -> None:
    if code == "timed-out":
        bench.wall_s = 15
    verdict = bench.verdict(work, asked="Add features/environment.py.")
    assert not verdict.green
    assert code in codes(verdict), verdict.problems


def test_a_then_step_that_asserts_nothing_is_found(bench: Workbench) -> None:
    spec = {FEATURE: SPEC[FEATURE].replace("I get 8", "all is well")}
    hollow = STEPS.replace("import when", "import then, when")
    hollow += '\n\n@then("all is well")\ndef well(context):\n    pass\n'
    verdict = bench.verdict({**WORK, "features/steps/double_steps.py": hollow}, spec=spec)
    assert "step-asserts-nothing" in codes(verdict), verdict.problems


def test_a_command_of_the_repository_that_fails_is_named(bench: Workbench) -> None:
    verdict = bench.verdict(WORK, commands=("true", "echo too long >&2; false"))
    assert codes(verdict) == {"command-failed"}
    assert "too long" in verdict.problems[0].message


def test_a_base_that_is_red_stays_allowed(bench: Workbench) -> None:
    base = {**BASE, "test_old.py": "def test_old():\n    assert 0, 'known'\n"}
    verdict = bench.verdict(WORK, base=base)
    assert verdict.green, verdict.problems
    assert next(suite for suite in verdict.suites if suite.name == "pytest").base.failed == 1


@pytest.mark.parametrize(
    ("outcomes", "green"),
    [
        (["passed", "failed", "passed"], True),
        (["passed", "failed", "failed", "passed", "failed"], True),
        (["passed", "failed", "failed", "passed", "passed", "passed"], False),
    ],
)
def test_a_test_that_fails_now_and_then_is_told_apart(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, outcomes: list[Outcome], green: bool
) -> None:
    """The outcomes of one test run by run: on the base, on the head, once more there, then on the base
    again."""
    bench.known = None
    left = iter(outcomes)

    def run(self: Suites, root: Path, paths: Sequence[str] = ()) -> SuiteRun:
        outcome = next(left)
        failures = (
            () if outcome == "passed" else (Failure(test="test_calc.py::test_add", message="now and then"),)
        )
        return SuiteRun(command="pytest", outcomes={"test_calc.py::test_add": outcome}, failures=failures)

    monkeypatch.setattr(Suites, "pytest", run)
    assert bench.verdict(WORK).green is green
    assert not list(left), "each of them was run"


def test_a_base_whose_tests_cannot_even_start_is_a_broken_environment(bench: Workbench) -> None:
    base = {**BASE, "conftest.py": "raise RuntimeError('no such machine')\n"}
    verdict = bench.verdict(WORK, base=base)
    assert "environment-broken" in codes(verdict)
    assert any("no such machine" in problem.message for problem in verdict.problems)


def test_a_repository_without_any_tests_can_be_worked_on(bench: Workbench) -> None:
    steps = STEPS.replace("import when", "import then, when")
    steps += '\n\n@then("I get {n:d}")\ndef get(context, n):\n    assert context.result == n\n'
    work = {**WORK, "features/steps/double_steps.py": steps}
    verdict = bench.verdict(work, base={"calc.py": BASE["calc.py"]})
    assert verdict.green, verdict.problems
    assert [suite.name for suite in verdict.suites] == ["behave"]


def test_several_rows_of_an_outline_are_proven_one_by_one(bench: Workbench) -> None:
    feature = (
        "Feature: Double\n\n  Scenario Outline: Doubling\n    When I double <n>\n    Then I get <r>\n\n"
        "    Examples:\n      | n | r |\n      | 4 | 8 |\n      | 5 | 10 |\n"
    )
    verdict = bench.verdict(WORK, spec={FEATURE: feature})
    assert verdict.green, verdict.problems
    assert len(verdict.scenarios) == 2


def test_a_link_in_the_base_leads_no_write_outside(bench: Workbench, tmp_path: Path) -> None:
    """The base has its steps folder behind a link; the head has real steps there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("mine")
    base = bench.commit({"calc.py": BASE["calc.py"]})
    git_dir = bench.mirror.path
    link = store_blob(git_dir, str(outside).encode())
    linked = commit_on(git_dir, base, "x", added=[TreeEntry("120000", link, "features/steps")])
    bench.commit(SPEC)
    bench.commit(WORK)
    then = STEPS.replace("import when", "import then, when")
    then += '\n\n@then("I get {n:d}")\ndef get(context, n):\n    assert context.result == n\n'
    head = bench.commit({"features/steps/double_steps.py": then})
    suites = Suites(
        lambda root, ro, rw: Sandbox(root, read_only=ro, writable=rw, limits=CommandLimits(wall_s=HANG_S)),
        features="features",
    )
    sha = hashlib.sha256(SPEC[FEATURE].encode()).hexdigest()
    asked = "Replace features/steps by a folder."
    claim = Claim(base=linked, head=head, feature=FEATURE, feature_sha256=sha, asked=asked)
    verdict = Gate(bench.workspaces, bench.mirror, suites, "run").verify(claim)
    assert [path.name for path in outside.iterdir()] == ["keep.txt"]
    assert verdict.scenarios[0].proven, verdict.problems


# A change that breaks `add`, and edits the test that would say so.
BREAKING = {
    **WORK,
    "calc.py": "def add(a, b):\n    return a + b + 1\n\n\ndef double(n):\n    return 2 * n\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) > 0\n",
    "features/steps/steps.py": BASE["features/steps/steps.py"].replace("== n", ">= n"),
}


@pytest.mark.parametrize("how", ["report", "fail"])
def test_edited_tests_are_run_as_they_were(bench: Workbench, how: Literal["report", "fail"]) -> None:
    verdict = bench.verdict(BREAKING, changed_tests=how, experiments=False)
    changed = verdict.changed_tests
    assert changed is not None and set(changed.paths) == {"test_calc.py", "features/steps/steps.py"}
    assert {failure.test for failure in changed.failing} == {
        "test_calc.py::test_add",
        "features/add.feature::Adding",
    }
    assert {problem.code for problem in verdict.problems} == ({"test-changed"} if how == "fail" else set())
    assert how == "report" or "The old version of test_calc.py::test_add fails" in feedback(verdict)


def test_an_edit_that_hides_nothing_is_named_and_no_problem(bench: Workbench) -> None:
    tests = BASE["test_calc.py"] + "\n\ndef test_more():\n    assert add(0, 0) == 0\n"
    verdict = bench.verdict({**WORK, "test_calc.py": tests}, changed_tests="fail")
    changed = verdict.changed_tests
    assert verdict.green, verdict.problems
    assert (
        changed is not None and changed.failing == () and changed.paths == changed.grown == ("test_calc.py",)
    )
    assert bench.verdict(WORK).changed_tests is None


def test_a_hollow_then_step_in_a_file_that_was_there_is_found(bench: Workbench) -> None:
    hollow = BASE["features/steps/steps.py"] + "\n\n@then('all is well')\ndef well(context):\n    pass\n"
    verdict = bench.verdict({**WORK, "features/steps/steps.py": hollow})
    assert [problem.code for problem in verdict.problems] == ["step-asserts-nothing"]
    assert "“all is well”" in verdict.problems[0].message
    # One that was there before is not the change's.
    base = {**BASE, "features/steps/steps.py": hollow}
    verdict = bench.verdict({**WORK, "features/steps/steps.py": hollow + "\n# more\n"}, base=base)
    assert verdict.green, verdict.problems


def test_a_base_that_hangs_is_not_red(bench: Workbench) -> None:
    hanging = STEPS.replace(
        "import calc\n",
        "import calc\n\nif not hasattr(calc, 'double'):\n    import time\n    time.sleep(100)\n",
    )
    bench.wall_s = 15
    verdict = bench.verdict({**WORK, "features/steps/double_steps.py": hanging})
    assert [problem.code for problem in verdict.problems] == ["timed-out"]
    assert "On the base commit with the scenarios behave did not end" in verdict.problems[0].message


def test_a_report_that_somebody_else_wrote_is_not_red_either(bench: Workbench) -> None:
    """Steps that forge a red base: they find the harness's descriptor and add a record."""
    forging = STEPS + (
        "\nimport os\nif not hasattr(calc, 'double'):\n    for n in range(3, 30):\n        try:\n"
        "            if 'pipe' in os.readlink(f'/proc/self/fd/{n}') or 'report' in "
        "os.readlink(f'/proc/self/fd/{n}'):\n"
        "                os.write(n, b'{\"end\": 0}\\n')\n        except OSError:\n            pass\n"
    )
    verdict = bench.verdict({**WORK, "features/steps/double_steps.py": forging})
    assert "untrusted" in {problem.code for problem in verdict.problems}


def known_runs(verdict: Verdict) -> list[bool]:
    return [each.known for each in verdict.evidence]


def test_what_the_base_gave_is_known_the_next_time(tmp_path: Path) -> None:
    """The evidence: the scenario red and green, behave on both sides, pytest on both sides."""
    verdicts = []
    wrong = {**WORK, "calc.py": WORK["calc.py"].replace("a + b", "a - b")}
    other_steps = {**WORK, "features/steps/double_steps.py": STEPS + "# another\n"}
    cases = [(WORK, "env"), (wrong, "env"), (other_steps, "env"), (WORK, "another env")]
    for number, (work, environment) in enumerate(cases):
        bench = Workbench(tmp_path / str(number))
        bench.known = KnownRuns(tmp_path / "known", environment)
        verdicts.append(bench.verdict(work))
    first, second, third, fourth = map(known_runs, verdicts)
    assert not any(first) and not any(fourth), "another environment is another base"
    assert second[:2] == [True, False] and sum(second) == 3, "all of the base, nothing of the head"
    assert third[0] is False and sum(third) == 2, "other steps are another red side"
    assert [each.green for each in verdicts] == [True, False, True, True]
    red = [proof.base for each in verdicts for proof in each.scenarios]
    assert set(red) <= {"failed", "error"}


def test_a_run_that_means_nothing_is_not_kept(tmp_path: Path) -> None:
    known = KnownRuns(tmp_path, "env")
    broken = SuiteRun(command="behave", broken="it did not end", fault="timed-out")
    assert known.once("behave", "tree", lambda: broken) == broken
    good = SuiteRun(command="behave", outcomes={"a": "passed"}, log="fine")
    assert known.once("behave", "tree", lambda: good) == good
    assert known.once("behave", "tree", lambda: broken) == replace(good, known=True)
    next(tmp_path.iterdir()).write_text("{half")
    assert known.once("behave", "tree", lambda: good) == good


TOKEN = "gh" + "p_" + "Ab3" * 12


@pytest.mark.parametrize(
    ("more", "diff", "code"),
    [
        ({"config.py": f"TOKEN = '{TOKEN}'\n"}, DiffLimits(), "secret-added"),
        ({"config.py": "TOKEN = 'ghp_example'\n"}, DiffLimits(), ""),
        ({"data.bin": "\0" * 100}, DiffLimits(), "binary-added"),
        ({"data.bin": "\0" * 100}, DiffLimits(binaries=True), ""),
        ({f"f{at}.txt": "x\n" for at in range(6)}, DiffLimits(files=7), "diff-too-large"),
        ({"long.txt": "x\n" * 500}, DiffLimits(lines=400), "diff-too-large"),
        ({"long.txt": "x\n" * 300}, DiffLimits(lines=400), ""),
    ],
)
def test_what_the_diff_shows(bench: Workbench, more: Files, diff: DiffLimits, code: str) -> None:
    verdict = bench.verdict({**WORK, **more}, diff=diff)
    assert [problem.code for problem in verdict.problems] == ([code] if code else [])
    assert TOKEN not in verdict.model_dump_json()


def test_a_secret_that_was_there_before_is_nobodys_new_one(bench: Workbench) -> None:
    base = {**BASE, "config.py": f"TOKEN = '{TOKEN}'\n"}
    work = {
        **WORK,
        "config.py": f"TOKEN = '{TOKEN}'\nNAME = 'x'\n",
        "requirements/dev.txt": "# none\n",
        "uv.lock": "",
    }
    verdict = bench.verdict(work, base=base)
    assert verdict.green and verdict.dependency_files == ("requirements/dev.txt", "uv.lock")
