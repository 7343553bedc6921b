"""A verdict that is not green, as the shortest text a model can act on."""

from collections.abc import Callable, Sequence

from runners.policy.plaintext import cut_middle
from runners.verify.suites import describe_failure
from runners.verify.verdict import Failure, Verdict

_MAX_DIFF = 6000


def feedback(
    verdict: Verdict,
    limit: int = 5,
    *,
    earlier: Sequence[Verdict] = (),
    diff: Callable[[str, str], str] = lambda _before, _now: "",
) -> str:
    """What failed, at most `limit` failures of it.

    `earlier` are the verdicts before on the same work, oldest first: what fails as it did is said to, and for what passed in the last one there is
    what changed since, as `diff(commit, commit)` gives it.
    """
    parts = ["The verification failed:"]
    parts += [f"- {problem.message}" for problem in verdict.problems]
    failing = _failing(verdict)
    shown = "".join(f"\n\n{text}" for text in list(failing.values())[:limit])
    return "\n".join(parts) + shown + (_since(verdict, failing, earlier[-1], diff) if earlier else "")


def _failing(verdict: Verdict) -> dict[str, str]:
    """The name of each scenario and test that fails on the head -> what is to be said of it."""
    found: dict[str, str] = {}
    for proof in verdict.scenarios:
        if proof.head not in ("passed", "undefined"):
            failure = Failure(test=proof.name, message=proof.head_message, path=proof.path, line=proof.line)
            found[proof.name] = describe_failure(failure)
    named = {proof.name for proof in verdict.scenarios}
    for failure in (*verdict.failures, *(f for suite in verdict.suites for f in suite.regressions)):
        text = describe_failure(failure)
        if failure.test.partition("::")[2] not in named and text not in found.values():
            found[failure.test] = text
    return found


def _since(verdict: Verdict, failing: dict[str, str], last: Verdict, diff: Callable[[str, str], str]) -> str:
    before = _failing(last)
    same = [name for name, text in failing.items() if before.get(name) == text]
    fresh = [name for name in failing if name not in before]
    parts: list[str] = []
    if same:
        parts.append(
            f"Failed in exactly the same way last time: {', '.join(same)}. What you did since has no bearing on it; look for another cause."
        )
    elif not failing and [each.message for each in verdict.problems] == [
        each.message for each in last.problems
    ]:
        parts.append("That is what was found last time, word for word.")
    changed = diff(last.head_sha, verdict.head_sha) if fresh else ""
    if changed:
        parts.append(
            f"Passed last time: {', '.join(fresh)}. This is what changed since:\n{cut_middle(changed, _MAX_DIFF)}"
        )
    return "".join(f"\n\n{part}" for part in parts)
