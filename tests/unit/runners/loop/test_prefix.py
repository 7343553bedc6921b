"""How much of each prompt stood in the one before, so that a server's prefix cache can serve it.

Counted in characters of the JSON that is sent, tools first; nothing is asked.
"""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter

import bot.demo
from bot.log.events import Entry, Event, RunRequested
from runners.contract.events import ModelReplied, RunnerEvent, ToolCalled
from runners.loop.agent import ENDINGS
from runners.loop.conversation import conversation_from_log
from runners.loop.prompting import RepositoryFacts, implement_prompt
from runners.models.chat import Message
from runners.tools import EDIT_TOOLS
from runners.tools.base import Toolbox

_RECORDING = Path(bot.demo.__file__).parent / "recording.jsonl"
_ENTRY = TypeAdapter(Entry)
_PROJECT = Path(bot.demo.__file__).parent / "project"
# What the demo's prompts say of its project, but for the steps and the domain language.
FACTS = RepositoryFacts(
    files=tuple(
        sorted(
            str(each.relative_to(_PROJECT))
            for each in _PROJECT.rglob("*.*")
            if "__pycache__" not in each.parts
        )
    ),
    instructions=(_PROJECT / "AGENTS.md").read_text(encoding="utf-8"),
)


def _log() -> list[Event]:
    return [_ENTRY.validate_json(line).event for line in _RECORDING.read_text(encoding="utf-8").splitlines()]


def scenarios() -> str:
    """The demo's scenarios, as the analyst wrote them."""
    return next(event.reply.text for event in _log() if isinstance(event, ModelReplied))


def recorded() -> tuple[RunRequested, list[RunnerEvent]]:
    """The request of the demo's run, and its turns of implementing."""
    log = _log()
    request = next(event for event in log if isinstance(event, RunRequested))
    turns: list[RunnerEvent] = [
        event
        for event in log
        if isinstance(event, ToolCalled) or (isinstance(event, ModelReplied) and event.phase == "implement")
    ]
    return request, turns


def sent(
    request: RunRequested, events: Sequence[RunnerEvent], *, with_reply: bool = False
) -> list[tuple[str, str]]:
    """Return each prompt of a run, and what a server then has of it: with `with_reply` also the reply."""
    head = implement_prompt(
        "run", request.order, FACTS, feature_path="f.feature", feature=scenarios(), steps_folder="steps"
    )
    tools = [each.model_dump() for each in [*Toolbox(EDIT_TOOLS).schemas(), *ENDINGS]]
    asked = [at for at, event in enumerate(events) if isinstance(event, ModelReplied)]
    return [
        (as_sent(head, events[:at], tools), as_sent(head, events[: at + with_reply], tools)) for at in asked
    ]


def share(request: RunRequested, events: Sequence[RunnerEvent], *, with_reply: bool) -> float:
    """The part of all prompts but the first that stood at the beginning of the prompt before.

    With `with_reply` what the model answered counts as known: a server keeps what it generated, too.
    """
    prompts = sent(request, events, with_reply=with_reply)
    known = sum(common(kept, after) for (_, kept), (after, _) in pairwise(prompts))
    return known / sum(len(prompt) for prompt, _ in prompts[1:])


def common(one: str, other: str) -> int:
    """How many characters two texts have in common at the beginning."""
    differ = (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(one), len(other)))


def as_sent(head: Sequence[Message], events: Sequence[RunnerEvent], tools: Sequence[object]) -> str:
    """Tools and messages as the text of a request."""
    return json.dumps([tools, [each.model_dump() for each in conversation_from_log(head, events)]])


def test_each_prompt_begins_with_the_whole_prompt_before() -> None:
    request, events = recorded()
    prompts = sent(request, events)
    for (before, _), (after, _) in pairwise(prompts):
        assert after.startswith(before.removesuffix("]]"))
    assert len(prompts) > 5


def test_the_demos_prompts_repeat_nearly_all_of_the_one_before() -> None:
    request, events = recorded()
    assert share(request, events, with_reply=False) >= 0.91
    assert share(request, events, with_reply=True) >= 0.95


def test_over_thirty_turns_of_the_demos_kind_even_more_is_repeated() -> None:
    request, events = recorded()
    longer = [event for _ in range(30) for event in events]
    starts = [at for at, event in enumerate(longer) if isinstance(event, ModelReplied)]
    assert share(request, longer[: starts[31]], with_reply=False) >= 0.95
    assert share(request, longer[: starts[31]], with_reply=True) >= 0.97


def test_a_prompt_holds_nothing_that_changes_by_itself() -> None:
    request, _ = recorded()
    makes = [
        implement_prompt(
            "run", request.order, RepositoryFacts(), feature_path="f", feature="", steps_folder="s"
        )
        for _ in range(2)
    ]
    assert makes[0] == makes[1]
    assert not re.search(r"\d{4}-\d\d-\d\dT", makes[0][0].text)
