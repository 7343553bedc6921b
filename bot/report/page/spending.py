"""What a run has used, as numbers and as bars: one for each reply of a model."""

from collections.abc import Iterable, Sequence

from bot.log.events import Entry
from gherkin.values import Frozen
from runners.contract.events import ModelReplied

_BARS = 60
HEIGHT = 48  # of the highest bar, in units of the drawing


class Bar(Frozen):
    """One bar: heights of the tokens that came from the cache, were read anew, and were written."""

    cached: float
    read: float
    written: float
    title: str


class PhaseSpending(Frozen):
    """What the replies of one model in one kind of work have used; `cost` is in US dollars."""

    work: str
    model: str
    turns: int
    tokens: int
    seconds: float
    cost: float


def bars(entries: Iterable[Entry]) -> list[Bar]:
    """Return the newest replies, oldest first; the highest bar has the height `HEIGHT`."""
    replies = [each.event for each in entries if isinstance(each.event, ModelReplied)][-_BARS:]
    totals = [each.reply.usage.prompt_tokens + each.reply.usage.completion_tokens for each in replies]
    most = max([1, *totals])
    return [_bar(event, total, HEIGHT / most) for event, total in zip(replies, totals, strict=True)]


def _bar(event: ModelReplied, total: int, scale: float) -> Bar:
    usage = event.reply.usage
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    return Bar(
        cached=round(cached * scale, 2),
        read=round((usage.prompt_tokens - cached) * scale, 2),
        written=round(usage.completion_tokens * scale, 2),
        title=f"{event.phase}: {total:,} tokens, {event.seconds:.1f} s",
    )


def by_work(entries: Sequence[Entry]) -> list[PhaseSpending]:
    """Return what was used for each kind of work and model, in the order of their first replies."""
    sums: dict[tuple[str, str], PhaseSpending] = {}
    for entry in entries:
        event = entry.event
        if not isinstance(event, ModelReplied):
            continue
        key = (event.phase, event.reply.model or event.runtime)
        before = sums.get(key) or PhaseSpending(
            work=key[0], model=key[1], turns=0, tokens=0, seconds=0.0, cost=0.0
        )
        usage = event.reply.usage
        sums[key] = PhaseSpending(
            work=before.work,
            model=before.model,
            turns=before.turns + 1,
            tokens=before.tokens + usage.prompt_tokens + usage.completion_tokens,
            seconds=before.seconds + event.seconds,
            cost=before.cost + event.cost,
        )
    return list(sums.values())
