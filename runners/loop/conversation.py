"""The conversation of implement: rebuilt from a run's log, and kept within its model's context."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from runners.contract.events import Advised, Condensed, ModelReplied, PromptSent, RunnerEvent, ToolCalled
from runners.models.chat import Message, Reply, TokenUsage, ToolCall, ToolSchema
from runners.policy.plaintext import one_line

# An estimate: source code and English have three to four characters a token.
_CHARS_A_TOKEN = 3.2
_SHORT = 300
_MAX_DIGEST = 6000
_GONE = "\n[… the rest of this result was dropped to save room; make the call again if you need it]"

CondenseStep = Literal["results", "digest"]

# How many of the newest messages each step keeps: a share of the context, or a number if its length is
# unknown.
_KEPT_SHARE: Mapping[CondenseStep, float] = {"results": 0.35, "digest": 0.25}
_KEPT: Mapping[CondenseStep, int] = {"results": 12, "digest": 8}

_FULL = 0.9
# After the first step at most this share may be used; otherwise the second step follows at once.
_ROOMY = 0.6


def as_message(reply: Reply) -> Message:
    """Return the assistant message for a reply. Its reasoning is not sent back."""
    return Message(role="assistant", text=reply.text, tool_calls=reply.tool_calls)


def unanswered(messages: Sequence[Message]) -> list[ToolCall]:
    """Return the calls of the last assistant message that have no result yet."""
    answered: set[str | None] = set()
    for message in reversed(messages):
        if message.role == "assistant":
            return [call for call in message.tool_calls if call.id not in answered]
        if message.role == "user":
            return []
        answered.add(message.tool_call_id)
    return []


def conversation_from_log(head: Sequence[Message], events: Sequence[RunnerEvent]) -> list[Message]:
    """Rebuild the conversation of implement from a run's log; a resumed run continues from it."""
    messages = list(head)
    for event in events:
        if isinstance(event, ModelReplied) and event.phase == "implement":
            messages.append(as_message(event.reply))
        elif isinstance(event, ToolCalled) and not event.node:
            messages.append(Message(role="tool", text=event.text, tool_call_id=event.call.id))
        elif isinstance(event, PromptSent):
            messages.append(Message(role="user", text=event.text))
        elif isinstance(event, Condensed):
            messages = condensed(messages, event.step, event.kept, event.summary)
        elif isinstance(event, Advised) and event.text:
            messages.append(advice(event))
    return messages


def estimate(messages: Sequence[Message]) -> int:
    """Return an estimate of the messages' length in tokens."""
    chars = sum(
        len(message.text) + sum(len(call.name) + len(call.arguments) + 20 for call in message.tool_calls) + 20
        for message in messages
    )
    return int(chars / _CHARS_A_TOKEN)


def advice(event: Advised) -> Message:
    """Return the message that gives the navigator's advice to the driver."""
    return Message(
        role="user", text=f"Your navigator, who sees your work and cannot act, says:\n{event.text}"
    )


def condensed(messages: Sequence[Message], step: CondenseStep, kept: int, summary: str = "") -> list[Message]:
    """Return `messages` with all but the fixed head and about the newest `kept` shortened.

    With ``results`` long tool results keep only their beginning. With ``digest`` whole turns are replaced by
    `summary`, or by a list of their calls when it is empty; messages from people stay listed. The same
    messages always give the same result.
    """
    head, cut = _old(messages, kept)
    old = messages[head:cut]
    if step == "results":
        return [*messages[:head], *map(_shortened, old), *messages[cut:]]
    if not old:
        return list(messages)
    digest = Message(role="user", text=_digest(old, summary))
    return [*messages[:head], digest, *messages[cut:]]


def to_condense(messages: Sequence[Message], kept: int) -> Sequence[Message]:
    """Return the messages that a ``digest`` replaces when it keeps the newest `kept`."""
    head, cut = _old(messages, kept)
    return messages[head:cut]


def _old(messages: Sequence[Message], kept: int) -> tuple[int, int]:
    """Return the index where the head ends, and the index where the newest messages begin."""
    head = next((at for at, each in enumerate(messages) if each.role == "assistant"), len(messages))
    cut = max(head, len(messages) - kept)
    while cut < len(messages) and messages[cut].role == "tool":
        cut += 1  # a result stays with its call
    return head, cut


def _shortened(message: Message) -> Message:
    if message.role != "tool" or len(message.text) <= _SHORT + len(_GONE):
        return message
    return message.model_copy(update={"text": message.text[:_SHORT] + _GONE})


def _digest(messages: Sequence[Message], summary: str) -> str:
    lines: list[str] = []
    results = {each.tool_call_id: each.text for each in messages if each.role == "tool"}
    for message in messages:
        if message.role == "user":
            lines.append(f"- you were told: {one_line(message.text)[:_SHORT]}")
        for call in message.tool_calls if not summary else ():
            came = one_line(results.get(call.id, ""))[:80]
            lines.append(f"- {call.name}({_arguments(call)}): {came}")
    while len(lines) > 1 and sum(map(len, lines)) > _MAX_DIGEST:
        lines = lines[1:]
    if summary:
        return "\n".join(
            ["To save room, your own summary replaces the earlier part of the work.", summary, *lines]
        )
    return (
        "To save room, this is all that is left of the earlier part of the work, newest last:\n"
        + "\n".join(lines)
    )


def _arguments(call: ToolCall) -> str:
    try:
        given = json.loads(call.arguments or "{}")
    except ValueError:
        return "…"
    if not isinstance(given, dict):
        return "…"
    return ", ".join(f"{key}={one_line(str(value))[:60]!r}" for key, value in list(given.items())[:3])


class Room:
    """How much of a model's context a conversation uses: the server's count plus an estimate of what came
    since.

    `context_length` and `max_tokens` (of a reply) are in tokens; 0 means that the length is not known.
    """

    def __init__(self, context_length: int, max_tokens: int, tools: Sequence[ToolSchema]) -> None:
        self._limit = context_length - max_tokens
        self._known = bool(context_length)
        self._tools = int(sum(len(each.model_dump_json()) for each in tools) / _CHARS_A_TOKEN)
        self._counted = 0
        self._messages = 0

    def tokens(self, messages: Sequence[Message]) -> int:
        """Return how long the next prompt will be, in tokens."""
        if self._messages:
            return self._counted + estimate(messages[self._messages :])
        return self._tools + estimate(messages)

    def measured(self, messages: Sequence[Message], usage: TokenUsage) -> None:
        """Remember the server's count for `messages`, to which the reply is not added yet."""
        if usage.prompt_tokens:
            self._counted, self._messages = usage.prompt_tokens, len(messages)

    def forget(self) -> None:
        """Forget the server's count, because the conversation was changed."""
        self._counted = self._messages = 0

    def step(self, messages: Sequence[Message]) -> CondenseStep | None:
        """Return the step to take before the next request; None while there is room."""
        return "results" if self._known and self.tokens(messages) >= self._limit * _FULL else None

    def next_step(self, messages: Sequence[Message]) -> CondenseStep | None:
        """Return the step to take after old results were shortened; None if there is room now."""
        return "digest" if self._known and self.tokens(messages) >= self._limit * _ROOMY else None

    def kept(self, messages: Sequence[Message], step: CondenseStep) -> int:
        """Return how many of the newest messages `step` keeps."""
        if not self._known:
            return _KEPT[step]
        left, count = self._limit * _KEPT_SHARE[step], 0
        for message in reversed(messages):
            left -= estimate([message])
            if left < 0:
                break
            count += 1
        return max(count, 2)
