"""Compare the runs of suites: problems, regressions, tests that were red."""

from collections.abc import Collection, Sequence
from typing import Literal

from gherkin.issue.kinds import Kind
from runners.verify.claim import Claim
from runners.verify.findings import Bite
from runners.verify.rules.asked import asked_for
from runners.verify.rules.purposes import purpose_of
from runners.verify.suites.run import Fault, SuiteRun
from runners.verify.verdict import RED, Doubt, Failure, Outcome, Problem, ScenarioProof

_FEW_MUTANTS = 3
# The code of the problem for each fault of a run that has one of its own.
FAULT_CODES: dict[Fault, Literal["timed-out", "untrusted"]] = {
    "timed-out": "timed-out",
    "untrusted": "untrusted",
}


def unasked(claim: Claim, worse: Sequence[Failure], after: SuiteRun) -> list[Failure]:
    """Return the failures without the tests that `after` lacks because people asked for that by name."""
    return [
        each
        for each in worse
        if each.test in after.outcomes or not asked_for(claim.asked, *names_of_test(each.test))
    ]


def names_of_test(test: str) -> list[str]:
    """Return the names by which people can ask for a test: its id, its file, and its own name if that is
    no common word.
    """
    path, _, name = test.partition("[")[0].rpartition("::")
    file = path.partition("::")[0]
    distinct = [name] if name.startswith("test") or len(name.split()) > 2 else []
    return [test, file, file.rpartition("/")[2], *distinct]


def tampered(replaced: Collection[str]) -> list[Problem]:
    """Return the problem of a change that replaces functions of test runners while they run.

    `replaced` names those that the change replaces and the base does not.
    """
    if not replaced:
        return []
    named = ", ".join(sorted(replaced)[:3])
    message = (
        f"The change replaces parts of the test runner, or tests ({named}), so their results mean "
        "nothing. Do not replace them."
    )
    return [Problem(code="untrusted", message=message)]


def floor(claim: Claim, bite: Bite | None) -> list[Doubt]:
    """Return a doubt if fewer faults were noticed than the repository demands.

    It is no problem: scenarios may prove a change although one example cannot notice each fault in it. Faults
    in lines that no scenario and no test runs say nothing about the tests, and count only if they are half of
    all. Fewer than three tried ones say too little.
    """
    wanted = claim.mutation.floor
    least = 1 if wanted == 100 else _FEW_MUTANTS
    if bite is None or bite.tried < least or bite.percent >= wanted:
        return []
    places = f"Test these places: {'; '.join(bite.survivors)}."
    if bite.reached >= least and bite.percent_of_reached < wanted:
        message = (
            f"Of {bite.reached} small faults put into lines of the change that run in its scenarios and "
            f"tests, these noticed {bite.killed}. {places}"
        )
        return [Doubt(code="tests-do-not-bite", message=message)]
    if 2 * bite.unreached < bite.tried:
        return []
    message = (
        f"Of {bite.tried} small faults put into the change, {bite.unreached} are in lines that no scenario "
        f"and no test runs. {places}"
    )
    return [Doubt(code="untested-code", message=message)]


def new_tests(
    before: SuiteRun, then: SuiteRun, after: SuiteRun, changed: Collection[str]
) -> list[ScenarioProof]:
    """Tests of the change that fail without it and pass with it.

    `before` is the suite on the base, `then` on the base with the test files (`changed`) of the change,
    `after` on the change. A test that the base has too counts only where the change edits its file. What
    `then` could not load is one row a file.
    """
    reasons = {failure.test: failure.message for failure in then.failures}
    found: list[ScenarioProof] = []
    unloaded: dict[str, int] = {}
    for test, outcome in after.outcomes.items():
        if outcome != "passed":
            continue
        file = _file_of(test, changed)
        existed = test in before.outcomes
        was = then.outcomes.get(test)
        if was is None and (then.broken or then.failures) and (file or not existed):
            place = file or test.rpartition("::")[0]
            unloaded[place] = unloaded.get(place, 0) + (not existed)
        elif was is not None and (file or not existed):
            path, _, name = test.rpartition("::")
            proof = ScenarioProof(
                name=name or test,
                path=path,
                line=0,
                base=was,
                head=outcome,
                base_message=reasons.get(test, ""),
                existed=existed,
            )
            found += [proof] if proof.proven else []
    for file, tests in unloaded.items():
        reason = reasons.get(file) or then.broken or next(iter(reasons.values()), "")
        found.append(
            ScenarioProof(
                name="", path=file, line=0, base="error", head="passed", base_message=reason, tests=tests
            )
        )
    return found


def no_new_test(changed: Collection[str], pytest: SuiteRun | None, features: str) -> Problem:
    """Return the problem of a change without a test that fails without it.

    It names the test files among those `changed` in which `pytest` finds no test.
    """
    message = (
        "The repository has tests, but the change adds none that fails without it. Add one in their style."
    )
    found = {test.partition("::")[0] for test in pytest.outcomes} if pytest else set()
    empty = [
        path
        for path in sorted(changed)
        if found and path.endswith(".py") and purpose_of(path, features) == "test" and path not in found
    ]
    if empty:
        message += (
            f" pytest finds no test in {', '.join(empty[:3])}: see which names its configuration gives "
            "to tests (`python_files`, `python_classes`, `python_functions`)."
        )
    return Problem(code="no-new-test", message=message)


def _file_of(test: str, changed: Collection[str]) -> str:
    """Return the changed file with which a test's id begins; empty for ids that do not name their file."""
    path = test.partition("::")[0]
    return path if path in changed else ""


def regressions(before: SuiteRun, after: SuiteRun, *, but: str) -> list[Failure]:
    """Return tests that passed before and now fail or are missing, and new ones that fail.

    `but` is a file that is left out.
    """
    reasons = {failure.test: failure for failure in after.failures}
    worse = []
    for test, outcome in before.outcomes.items():
        if outcome == "passed" and after.outcomes.get(test, "missing") != "passed":
            gone = Failure(test=test, message=f"It is {after.outcomes.get(test, 'missing')} now.")
            worse.append(reasons.get(test, gone))
    for test, outcome in after.outcomes.items():
        new = test not in before.outcomes and not test.startswith(f"{but}::")
        if new and outcome not in ("passed", "skipped"):
            worse.append(reasons.get(test, Failure(test=test, message=f"It is {outcome}.")))
    return worse


def judge(proof: ScenarioProof, kind: Kind) -> list[Problem]:
    """Return what is wrong with a scenario that was run without the change and with it."""
    if proof.head == "undefined":
        return [Problem(code="step-undefined", message=f"“{proof.name}” has steps without a definition.")]
    problems = []
    if proof.head != "passed":
        problems.append(
            Problem(code="scenario-not-green", message=f"“{proof.name}” does not pass with the change.")
        )
    if kind == "refactoring":
        if proof.base != "passed":
            message = (
                f"“{proof.name}” is {proof.base} without the change: it does not describe what is "
                "there today."
            )
            problems.append(Problem(code="scenario-not-kept", message=message))
    elif proof.base not in (*RED, "passed"):
        message = f"“{proof.name}” is {proof.base} without the change. It must be run there, and fail."
        problems.append(Problem(code="scenario-not-red", message=message))
    return problems


def since_revision(
    claim: Claim, proofs: Sequence[ScenarioProof], before: SuiteRun
) -> tuple[ScenarioProof, ...]:
    """Return the proofs; those that a review asked for get their outcome `before` the revision."""
    reasons = {failure.test: failure.message for failure in before.failures}
    missing: Outcome = "error" if before.broken else "missing"
    found: list[ScenarioProof] = []
    for proof in proofs:
        # behave appends the row to the name of an outline.
        if proof.name.partition(" -- @")[0] not in claim.revised:
            found.append(proof)
            continue
        test = f"{claim.feature}::{proof.name}"
        changes = {
            "base": before.outcomes.get(test, missing),
            "base_message": reasons.get(test, before.broken or ""),
            "loaded": not before.broken,
            "revised": True,
        }
        found.append(proof.model_copy(update=changes))
    return tuple(found)


def none_red(proofs: Sequence[ScenarioProof]) -> list[Problem]:
    """Return the problem of scenarios that are all green on both sides.

    If at least one is red, the others only count as unchanged.
    """
    if not proofs or not all(proof.unchanged for proof in proofs):
        return []
    names = ", ".join(f"“{proof.name}”" for proof in proofs)
    message = f"No scenario fails without the change, so nothing is proven: {names}."
    return [Problem(code="scenario-not-red", message=message)]
