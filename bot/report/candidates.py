"""The table of a run's candidates, for pull requests."""

from typing import NamedTuple

from bot.log.state import RunState
from bot.report.escape import inline


class CandidateRow(NamedTuple):
    """One candidate, all of it Markdown."""

    number: str
    runtimes: str
    verdict: str
    crossed: str
    faults: str
    lines: int
    cost: str


def candidate_rows(state: RunState) -> list[CandidateRow]:
    """Return a row for each candidate, in the order they were made; none where there was only one."""
    if state.chosen is None:
        return []
    order = sorted(range(len(state.candidates)), key=lambda at: state.candidates[at].ended.number)
    return [_row(state, at) for at in order]


def _row(state: RunState, at: int) -> CandidateRow:
    each, chosen = state.candidates[at].ended, state.chosen
    pairs = [pair for pair in chosen.crossed if pair.number == each.number] if chosen else []
    failed, passed = sum(len(pair.failed) for pair in pairs), sum(pair.passed for pair in pairs)
    crossed = f"{passed} of {passed + failed} passed" if passed + failed else "not run"
    taken = chosen is not None and chosen.number == each.number
    return CandidateRow(
        number=f"**{each.number}**" if taken else str(each.number),
        runtimes=inline(", ".join(filter(None, each.runtimes)), 100) or "unknown",
        verdict="no verdict" if each.status == "none" else each.status,
        crossed=crossed,
        faults=f"{each.noticed} of {each.tried}" if each.tried else "none tried",
        lines=each.lines,
        cost=f"{each.turns} turns, {each.tokens:,} tokens" + (f", ${each.cost:.2f}" if each.cost else ""),
    )
