"""The proof as rows of one table, and what a reviewer has to look at: all of it from the verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bot.log.state import RunState
from bot.report.escape import code, inline, sentence
from runners.verify.findings import Bite
from runners.verify.verdict import Counts, Outcome, ScenarioProof, Verdict

MARKS: dict[Outcome, str] = {
    "passed": "🟢 passed",
    "failed": "🔴 failed",
    "error": "🔴 failed",
    "skipped": "⚪ skipped",
    "undefined": "⚪ undefined step",
    "missing": "⚪ missing",
}
# The same in one word.
_COLOURS: dict[Outcome, str] = {
    "passed": "green",
    "failed": "red",
    "error": "red",
    "skipped": "skipped",
    "undefined": "undefined",
    "missing": "missing",
}
_SHOWN = 10  # paths in one sentence


@dataclass(frozen=True)
class Detail:
    """How much of everything fits: rows of a list, characters of a row, of a text and of a code block."""

    rows: int
    width: int
    text: int
    block: int


@dataclass(frozen=True)
class Surroundings:
    """What only the trusted side knows about a change that it publishes.

    `drift` (Markdown) is how far the target branch has moved on, `others` are changed files that are neither
    source, tests nor documentation, with what is special about them, and `log` the subjects of the newest
    commits below the change. `rivals` are the numbers of other open pull requests that runs made for the same
    issue. `steps` are (path, source) of the step definitions that lie beside the change. `template` is the
    project's template for pull requests, and `changed` are the paths of all changed files.
    """

    drift: str = ""
    others: Sequence[tuple[str, str]] = ()
    log: Sequence[str] = ()
    rivals: Sequence[int] = ()
    steps: Sequence[tuple[str, str]] = ()
    template: str = ""
    changed: Sequence[str] = ()


class Row(NamedTuple):
    """One row of the proof; `name`, `before` and `after` are Markdown."""

    what: str
    name: str
    before: str
    after: str


def proof_rows(verdict: Verdict, width: int) -> list[Row]:
    """Scenarios, then tests of the change, then whole suites."""
    rows = [
        Row(
            "scenario",
            inline(proof.name, width) + f"<br><sub>{_line(proof, verdict.bite)}</sub>",
            MARKS[proof.base] + (" (before this revision)" if proof.revised else ""),
            MARKS[proof.head] + _remark(proof),
        )
        for proof in verdict.scenarios
    ]
    rows += [_test_row(proof, width) for proof in verdict.tests]
    rows += [
        Row("all tests", inline(suite.name, width), counts(suite.base), counts(suite.head))
        for suite in verdict.suites
    ]
    return rows


def _line(proof: ScenarioProof, bite: Bite | None) -> str:
    """Return everything that is known about a scenario, in one line."""
    parts = [f"{_COLOURS[proof.base]} → {_COLOURS[proof.head]}", proof.findings.line]
    parts.append(f"mutants {bite.killed}/{bite.tried}" if bite is not None and bite.tried else "")
    return " · ".join(filter(None, parts))


def experiments_text(verdict: Verdict) -> str:
    """Return what the small print below the scenarios means; empty when there is none."""
    if not any(proof.findings.line for proof in verdict.scenarios):
        return ""
    return (
        "The small print below a scenario says: its result on the old and the new code, how many changes of "
        "its expected values it noticed (flips), how many breaks of the new code (sabotage), and how many "
        "further examples that the model had not seen passed (held-out). The mutants are those of the whole "
        "change."
    )


def untried_text(verdict: Verdict, detail: Detail) -> list[str]:
    """Return the scenarios with which no experiment was possible, each with the reason in a sentence."""
    return [
        f"{inline(proof.name, detail.width)}: {sentence(each, 2 * detail.width)}"
        for proof in verdict.scenarios
        for each in proof.findings.untried
    ]


def _remark(proof: ScenarioProof) -> str:
    return " (unchanged, no proof)" if proof.unchanged else ""


def _test_row(proof: ScenarioProof, width: int) -> Row:
    if not proof.name:
        number = "" if proof.tests == 1 else f" ({proof.tests} tests)"
        name = f"{code(proof.path, width)}{number if proof.tests else ''}"
        return Row(
            "new tests" if proof.tests else "changed tests", name, "🔴 cannot be loaded", MARKS[proof.head]
        )
    name = f"{proof.path}::{proof.name}" if proof.path else proof.name
    what = "changed test" if proof.existed else "new test"
    return Row(what, code(name, width), MARKS[proof.base], MARKS[proof.head])


def counts(found: Counts) -> str:
    """Return the results of a suite, in words."""
    parts = [f"{found.passed} passed"]
    if found.failed:
        parts.append(f"{found.failed} failed")
    if found.skipped:
        parts.append(f"{found.skipped} skipped")
    return ", ".join(parts)


def proven_text(verdict: Verdict) -> str:
    """Return what was proven, as a clause."""
    if verdict.kind == "chore":
        return "only documentation was changed"
    proven = sum(proof.proven for proof in verdict.scenarios)
    total = len(verdict.scenarios)
    if verdict.kind == "refactoring":
        return "all scenarios passed before the change and pass now"
    if proven == total:
        return "all scenarios failed before the change and pass now"
    return f"{proven} of {total} scenarios failed before the change; all pass now"


def mutation_text(state: RunState, verdict: Verdict) -> str:
    """Return how many faults in the changed lines were noticed, or why none was tried.

    Empty for a change without code.
    """
    bite = verdict.bite
    if bite is not None and bite.tried:
        return (
            f"Mutation test of the changed lines: the scenarios and tests noticed {bite.killed} of "
            f"{bite.tried} small faults."
            + (f" There was no time for {bite.untried} more." if bite.untried else "")
        )
    settings = state.prepared.settings.mutation if state.prepared else None
    if verdict.kind == "chore" or settings is None:
        return ""
    if not settings.mutants:
        return "No mutation test: `.scenarist.yml` sets `mutation.mutants` to 0."
    if bite is not None:
        return "No mutation test: no fault could be tried in the time that it may take."
    return "No mutation test: the change has no line of Python that a small fault can be put into."


def attempts_text(state: RunState) -> list[str]:
    """Return a sentence on what the model tried that it may not; empty if it tried nothing of the kind."""
    if not state.attempts:
        return []
    named = "; ".join(f"{what} ({count}×)" for what, count in sorted(state.attempts.items()))
    return [
        f"**The model tried something that is not allowed, and was stopped**: {named}. "
        "Check whether the issue told it to."
    ]


def warnings(
    state: RunState, verdict: Verdict, around: Surroundings, detail: Detail, pull_sign: str = "#"
) -> list[str]:
    """Return what a reviewer has to look at, most important first: sentences in Markdown.

    `pull_sign` stands before the numbers of pull requests.
    """
    found: list[str] = []
    if state.only_pod:
        found.append(
            "**The commands of this run had no sandbox but their Kubernetes pod.** The repository's code "
            "and the model's commands ran as the worker's user: they could read and change its files, reach "
            "the pod's network, and change results. Review the change itself, and do not rely on the proof "
            "alone."
        )
    elif not state.sandboxed:
        found.append("**The commands of this run were not sandboxed** (`--unsafe-no-sandbox`).")
    if around.rivals:
        numbers = ", ".join(f"{pull_sign}{number}" for number in around.rivals)
        found.append(
            f"**Another pull request for the same issue is open: {numbers}.** Merge one of them and close "
            "the rest."
        )
    found += attempts_text(state)
    if around.drift:
        found.append(around.drift)
    found += [f"**{inline(each, detail.text)}**" for each in verdict.unrunnable]
    found += _of_tests(verdict, detail)
    if verdict.oracle:
        named = _listed(
            f"{code(each.path, detail.width)}: {inline(each.what, detail.width)}" for each in verdict.oracle
        )
        found.append(
            f"**Tests or their configuration were loosened, because the issue names them**: {named}. They "
            "decide what counts as proven."
        )
    if verdict.dependency_files:
        found.append(
            f"**Dependencies were changed**: {_paths(verdict.dependency_files, detail)}. Both sides were "
            "run with the dependencies of the old code."
        )
    said = {*verdict.dependency_files, *(each.path for each in verdict.oracle)}
    others = [(path, what) for path, what in around.others if path not in said]
    if others:
        named = _listed(f"{code(path, detail.width)}{f' ({what})' if what else ''}" for path, what in others)
        found.append(f"**Files outside of source, tests and documentation were changed**: {named}.")
    if _lacks_examples(state, verdict):
        found.append(
            "**No further examples could be run**: code that only knows the examples in the scenarios would "
            "have passed, too. Check how the code computes its results."
        )
    blank = [each.name for each in verdict.scenarios if each.findings.untried and not each.findings.line]
    if blank:
        named = _listed(inline(name, detail.width) for name in blank)
        found.append(
            f"**No experiment could be made on these scenarios**: {named}. Read their steps: nothing else "
            "shows that they check the outcome."
        )
    if verdict.bite and verdict.bite.survivors:
        named = _listed(sentence(each, detail.width) for each in verdict.bite.survivors)
        found.append(f"**No scenario or test noticed these faults**: {named}.")
    found += [
        f"The issue leaves this open: {sentence(each, detail.width)}"
        for each in _questions(state)[: detail.rows]
    ]
    if state.review and state.review.head == verdict.head_sha:
        serious = [each for each in state.review.remarks if each.serious]
        found += [
            "**A second model finds this serious**: "
            f"{remark_place(each.path, each.line)}{sentence(each.text, 2 * detail.width)}"
            for each in serious[: detail.rows]
        ]
    return found


def _lacks_examples(state: RunState, verdict: Verdict) -> bool:
    """Return whether the repository wants held-out examples, and none were run for a change that adds
    behaviour.
    """
    wanted = state.prepared is not None and state.prepared.settings.held_out > 0
    ran = any(each.outcome != "unmatched" for each in verdict.held_out)
    return wanted and verdict.kind in ("feature", "bug") and bool(verdict.scenarios) and not ran


def remark_place(path: str, line: int) -> str:
    """Return where a remark belongs, in front of its text."""
    return f"{code(f'{path}:{line}' if line else path)}: " if path else ""


def _questions(state: RunState) -> tuple[str, ...]:
    return state.spec.questions if state.spec else ()


def _of_tests(verdict: Verdict, detail: Detail) -> list[str]:
    changed = verdict.changed_tests
    if changed is None:
        return []
    found: list[str] = []
    if changed.failing:
        named = _paths([each.test for each in changed.failing], detail)
        found.append(
            "**Existing tests were changed. The old versions of these passed on the old code and fail on the "
            f"new code**: {named}. "
            "Check that the issue asks for that."
        )
    elif edited := [path for path in changed.paths if path not in changed.grown]:
        named = _paths(edited, detail)
        found.append(f"Existing tests were changed: {named}. Their old versions still pass.")
    if changed.added:
        found.append(f"Configuration of tests was added: {_paths(changed.added, detail)}.")
    return found


def _paths(paths: Iterable[str], detail: Detail) -> str:
    return _listed(code(path, detail.width) for path in paths)


def _listed(items: Iterable[str]) -> str:
    """Return the first items in a row, and how many more there are."""
    every = list(items)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
