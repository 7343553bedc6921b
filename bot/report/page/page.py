"""All that the page of one run shows."""

from collections.abc import Sequence

from bot.log.events import BESIDE, Entry, Phase
from bot.log.state import RunState, fold
from bot.report.next_step import ending
from bot.report.page.diff import FileDiff, file_diffs
from bot.report.page.phases import PhaseRow, strip
from bot.report.page.scenarios import Card, cards
from bot.report.page.spending import Bar, PhaseSpending, bars, by_work
from bot.report.page.timeline import PhaseSpan, critical_path, spans
from bot.report.page.turns import Item, item
from bot.report.status import clock, headline, next_text
from gherkin.values import Frozen
from runners.contract.events import ModelReplied, ToolCalled, VerdictReached
from runners.policy.redact import looks_secret
from runners.verify.verdict import Verdict

_MOST_DIFF_LINES = 3000


class RunPage(Frozen):
    """One run as a page shows it.

    `spans` are the phases on a line of time, and `waited_s` is the time of those that the run waited for.
    `earlier` are the verdicts before the newest one. `headline`, `next` and `todo` are sentences for people,
    `now` is what is being done at this moment, `ended_in` the phase to try again. `tried` says how much was
    done, where the run ended without a pull request. `todo` may hold inline code in Markdown.
    """

    run_id: str
    state: RunState
    headline: str
    next: str
    now: str
    tried: str
    found: str
    todo: str
    ended_in: Phase | None
    steps: tuple[PhaseRow, ...]
    spans: tuple[PhaseSpan, ...]
    scenarios: tuple[Card, ...]
    items: tuple[Item, ...]
    bars: tuple[Bar, ...]
    spending: tuple[PhaseSpending, ...]
    earlier: tuple[Verdict, ...]
    files: tuple[FileDiff, ...]
    diff_is_cut: bool
    waited_s: float


def run_page(
    run_id: str, entries: Sequence[Entry], *, feature: str = "", diff: str = "", label: str = ""
) -> RunPage:
    """Return the page of a run, from its log, its feature's text and the diff of its work.

    `label` is what starts a run. `entries` must not be empty.
    """
    state = fold(entries)
    end = ending(state, comments=True, label=label, on_page=True)
    placed = spans(state.times, now=state.updated_at)
    files, is_cut = _shown_files(state, diff)
    return RunPage(
        run_id=run_id,
        state=state,
        headline=headline(state),
        next=next_text(state),
        now=now_text(state, entries),
        tried=end.tried if end else "",
        found=end.found if end else state.reason if state.status in ("paused", "cancelled") else "",
        todo=end.next if end else "",
        ended_in=ended_in(state),
        steps=tuple(strip(state)),
        spans=tuple(placed),
        waited_s=critical_path(placed),
        scenarios=tuple(cards(state, entries, feature)),
        items=tuple(each for each in map(item, entries) if each is not None),
        bars=tuple(bars(entries)),
        spending=tuple(by_work(entries)),
        earlier=tuple(each.event.verdict for each in entries if isinstance(each.event, VerdictReached))[:-1],
        files=files,
        diff_is_cut=is_cut,
    )


def ended_in(state: RunState) -> Phase | None:
    """Return the phase from which a run that ended can be tried again: the last one that ended, but for its
    report.

    After a red verdict it is the writing of the code. None where nothing was begun.
    """
    last = next((each.phase for each in reversed(state.finished) if each.phase != "conclude"), None)
    hosts: dict[Phase, Phase] = {beside: host for host, beside in BESIDE.items()}
    if last is None:
        return None
    return "implement" if last == "verify" and state.status == "gave_up" else hosts.get(last, last)


def now_text(state: RunState, entries: Sequence[Entry]) -> str:
    """Return what an active run is doing at this moment, in a sentence; empty for any other."""
    if state.status != "active" or not state.times:
        return ""
    if state.delayed is not None:
        return f"Waiting before the next try: {state.delayed.reason}"
    replied = next(
        (n for n in range(len(entries) - 1, -1, -1) if isinstance(entries[n].event, ModelReplied)), None
    )
    on = {each.phase for each in state.times if not each.ended}
    if replied is None or not on & {"specify", "implement"}:
        return ""
    event = entries[replied].event
    done = {each.event.call.id for each in entries[replied:] if isinstance(each.event, ToolCalled)}
    calls = event.reply.tool_calls if isinstance(event, ModelReplied) else ()
    open_calls = [call.name for call in calls if call.id not in done]
    if open_calls and "implement" in on:
        return f"Running {open_calls[0]}, since {clock(entries[-1].at)}."
    return f"The model is thinking, since {clock(entries[-1].at)}."


def _shown_files(state: RunState, diff: str) -> tuple[tuple[FileDiff, ...], bool]:
    """Return the diff by file, up to a number of lines; nothing where the change adds a secret."""
    found = state.verdict is not None and any(each.code == "secret-added" for each in state.verdict.problems)
    if found or looks_secret(diff):
        return (), False
    shown: list[FileDiff] = []
    room = _MOST_DIFF_LINES
    for each in file_diffs(diff):
        shown.append(each._replace(lines=each.lines[: max(0, room)]))
        room -= len(each.lines)
    return tuple(shown), room < 0
