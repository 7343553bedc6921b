"""Put a verdict that is not green into the shortest text that a model can act on."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from runners.policy.plaintext import cut_middle
from runners.verify.suites.run import describe_failure
from runners.verify.verdict import Failure, Problem, Verdict

# Characters. The text is repeated in every later request of the run, so it must stay small: about 2,500
# tokens.
MAX_FEEDBACK = 10_000
_MAX_PROBLEMS = 3000
_MAX_PROBLEM = 500
_MAX_FAILURE = 1500
_MAX_FAILURES = 4500
_MAX_DIFF = 1800
_NAMES = 5


def feedback(
    verdict: Verdict,
    limit: int = 5,
    *,
    earlier: Sequence[Verdict] = (),
    diff: Callable[[str, str], str] = lambda _before, _now: "",
) -> str:
    """Return what failed: each finding once, at most `limit` failures, and at most `MAX_FEEDBACK` characters
    in all.

    `earlier` are the verdicts before on the same work, oldest first. Failures that are unchanged are marked
    as such; for what passed in the last verdict, the text has what changed since then, as `diff(commit,
    commit)` returns it.
    """
    failing = _failing(verdict)
    kinds = _alike(failing)
    problems, left_out = _problems(verdict.problems)
    parts = ["\n".join(["The verification failed:", *(f"- {message}" for message in problems)])]
    room = min(_MAX_FAILURE, _MAX_FAILURES // max(1, min(limit, len(kinds))))
    for names in list(kinds.values())[:limit]:
        others = f"\nThe same in {_names(names[1:])}." if names[1:] else ""
        parts.append(cut_middle(describe_failure(failing[names[0]], room), room + 200) + others)
    hidden = sum(len(names) for names in list(kinds.values())[limit:])
    if left_out or hidden:
        parts.append(
            f"Left out: {left_out} findings and {hidden} failures. Run the tests to see all that fails."
        )
    parts += _since(verdict, failing, earlier[-1], diff) if earlier else []
    return cut_middle("\n\n".join(parts), MAX_FEEDBACK - 100)


def about_survivors(verdict: Verdict) -> str:
    """Return the text on small faults in a proven change that no test noticed; a model is told once."""
    survivors = verdict.bite.survivors if verdict.bite else ()
    places = "\n".join(f"- {survivor}" for survivor in survivors)
    few = any(doubt.code in ("tests-do-not-bite", "untested-code") for doubt in verdict.doubts)
    return (
        "The verification passed. These small faults, put into your change one at a time, were noticed by "
        "no scenario and no "
        f"test:\n{places}\nAdd a test that notices each, where that makes sense, and call `finish` again. "
        "If none does, call `finish` without a change."
        + (" So few faults were noticed that the pull request will only be a draft otherwise." if few else "")
    )


def _problems(problems: Sequence[Problem]) -> tuple[list[str], int]:
    """Return (the messages that fit, how many do not fit): one of each kind first, then the others."""
    messages = list(dict.fromkeys((problem.code, problem.message) for problem in problems))
    seen: dict[str, int] = {}
    ranked: list[tuple[int, int, str]] = []
    for at, (code, message) in enumerate(messages):
        seen[code] = seen.get(code, 0) + 1
        ranked.append((seen[code], at, cut_middle(message, _MAX_PROBLEM)))
    kept: list[tuple[int, str]] = []
    room = _MAX_PROBLEMS
    for _rank, at, message in sorted(ranked):
        room -= len(message)
        if room < 0 and kept:
            break
        kept.append((at, message))
    return [message for _at, message in sorted(kept)], len(messages) - len(kept)


def _failing(verdict: Verdict) -> dict[str, Failure]:
    """Return the name of each scenario and test that fails on the head -> its failure."""
    found: dict[str, Failure] = {}
    for proof in verdict.scenarios:
        if proof.head not in ("passed", "undefined"):
            found[proof.name] = Failure(
                test=proof.name, message=proof.head_message, path=proof.path, line=proof.line
            )
    named = {proof.name for proof in verdict.scenarios}
    for failure in (*verdict.failures, *(f for suite in verdict.suites for f in suite.regressions)):
        if failure.test.partition("::")[2] not in named:
            found.setdefault(failure.test, failure)
    return found


def _alike(failing: Mapping[str, Failure]) -> dict[str, list[str]]:
    """Return the message of each failure -> the names of all tests that fail with it."""
    found: dict[str, list[str]] = {}
    for name, failure in failing.items():
        found.setdefault(failure.message.strip() or name, []).append(name)
    return found


def _since(
    verdict: Verdict, failing: Mapping[str, Failure], last: Verdict, diff: Callable[[str, str], str]
) -> list[str]:
    before = _failing(last)
    same = [name for name, failure in failing.items() if before.get(name) == failure]
    fresh = [name for name in failing if name not in before]
    parts: list[str] = []
    if same:
        parts.append(
            f"Failed in exactly the same way last time: {_names(same)}. "
            "Your changes since then had no effect on it; look for another cause."
        )
    elif not failing and [each.message for each in verdict.problems] == [
        each.message for each in last.problems
    ]:
        parts.append("That is what was found last time, word for word.")
    changed = diff(last.head_sha, verdict.head_sha) if fresh else ""
    if changed:
        parts.append(
            f"Passed last time: {_names(fresh)}. This is what changed "
            f"since:\n{cut_middle(changed, _MAX_DIFF)}"
        )
    return parts


def _names(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(cut_middle(name, 120).replace("\n", " ") for name in every[:_NAMES])
    return shown + (f" and {len(every) - _NAMES} more" if len(every) > _NAMES else "")
