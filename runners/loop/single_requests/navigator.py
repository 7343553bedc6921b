"""A second model that advises the driver when it makes no progress, and changes nothing itself."""

from collections.abc import Callable, Sequence
from typing import Literal

from gherkin.errors import ScenaristError
from runners.contract.events import Advised, ModelReplied, RunnerEvent
from runners.contract.job import Job
from runners.loop.prompting import RepositoryFacts, navigate_prompt
from runners.loop.services import Services
from runners.models.chat import Message
from runners.models.xml import as_text

# How often it may advise in one run, unless the operator sets `turns`. Each prompt holds half of the driver's
# conversation.
_TIMES = 4
_MAX_TOKENS = 1000
_MAX_TEXT = 3000
_NEWEST = 24

_WHY = {
    "stuck": "The driver repeats itself: it makes the same calls, or undoes its own edits.",
    "red": "The driver said that it was done, and it was not: the last message says what is missing.",
}


def advise(
    job: Job,
    services: Services,
    background: RepositoryFacts,
    why: Literal["stuck", "red"],
    work: Sequence[Message],
    diff: str,
    so_far: Sequence[RunnerEvent],
    look_up: Callable[[Sequence[Message]], Sequence[Message]] = list,
) -> list[RunnerEvent]:
    """Ask the navigator about the driver's conversation `work` and its `diff`; returns events that are
    not logged yet.

    Returns none if there is no navigator, or if it has advised as often as it may (`so_far` is the run's
    log). If the navigator cannot be reached, the event has a `problem`, and the work continues. `look_up`
    adds to a prompt what the navigator looked up. Raises `Cancelled`.
    """
    if not services.models.has("navigator"):
        return []
    times = services.models.agent("navigator").turns or _TIMES
    if sum(isinstance(event, Advised) for event in so_far) >= times:
        return []
    feature = (services.artifact("feature") or b"").decode(errors="replace")
    record = "\n\n".join(f"{each.role}:\n{each.text}" for each in as_text(work[-_NEWEST:], ()))
    messages = navigate_prompt(
        job.run_id, job.order, background, why=_WHY[why], diff=diff, feature=feature, record=record
    )
    try:
        replied = services.ask("navigator", "navigate", look_up(messages), max_tokens=_MAX_TOKENS)
    except ScenaristError as error:
        return [Advised(reason=why, problem=error.message)]
    return [replied, _advice(why, replied)]


def _advice(why: Literal["stuck", "red"], replied: ModelReplied) -> Advised:
    text = replied.reply.text.strip()[:_MAX_TEXT]
    return Advised(
        reason=why, model=replied.reply.model, text=text, problem="" if text else "It said nothing."
    )
