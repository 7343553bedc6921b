"""A scenario that a review asked for is compared with the pull request as it was before the revision."""

from dataclasses import replace

from runners.verify.gate.gate import Gate
from runners.verify.verdict import Verdict
from tests.support.workbench import BASE, FEATURE, SPEC, WORK, Workbench, codes, sandboxed_suites

TWO = {
    FEATURE: SPEC[FEATURE] + "\n  Scenario: Halving\n    When I halve 8\n    Then I get 4\n",
}
HALVE = "\n\ndef halve(n):\n    return n // 2\n"
STEPS = {
    "features/steps/halve_steps.py": (
        "from behave import when\n\nimport calc\n\n\n"
        '@when("I halve {n:d}")\ndef halving(context, n):\n    context.result = calc.halve(n)\n'
    )
}
DONE = {"calc.py": WORK["calc.py"] + HALVE, **STEPS}


def revision(
    bench: Workbench, before: dict[str, str], done: dict[str, str] = DONE, revised: str = "Halving"
) -> Verdict:
    """The verdict on a pull request that had `before` when somebody asked for halving, and has it now."""
    base = bench.commit(BASE)
    bench.commit(SPEC)
    was = bench.commit(before)
    claim = bench.claim(done, base={}, spec=TWO)
    claim = replace(claim, base=base, before=was, revised=frozenset(filter(None, [revised])))
    return Gate(bench.workspaces, bench.mirror, sandboxed_suites(), "run", bench.known).verify(claim)


def test_it_is_red_before_the_revision_and_green_after_it(bench: Workbench) -> None:
    verdict = revision(bench, WORK)
    assert verdict.green, verdict.problems
    old, new = verdict.scenarios
    assert (old.name, old.proven, old.revised) == ("Doubling", True, False)
    assert (new.name, new.proven, new.revised) == ("Halving", True, True)
    runs = [each for each in verdict.evidence if each.purpose == "scenarios before the revision"]
    assert [each.commit for each in runs] == [verdict.before_sha]


def test_it_proves_nothing_where_the_pull_request_did_it_already(bench: Workbench) -> None:
    before = {**WORK, "calc.py": WORK["calc.py"] + HALVE}
    verdict = revision(bench, before)
    assert [(each.proven, each.unchanged) for each in verdict.scenarios] == [(True, False), (False, True)]
    # Against the base alone it would look proven.
    verdict = revision(bench, before, revised="")
    assert [each.proven for each in verdict.scenarios] == [True, True] and verdict.before_sha == ""


def test_the_change_still_has_to_do_it(bench: Workbench) -> None:
    wrong = {**DONE, "calc.py": WORK["calc.py"] + HALVE.replace("// 2", "// 3")}
    assert codes(revision(bench, WORK, wrong)) == {"scenario-not-green"}
