"""THE tool loop: ask the model, run its calls, log, repeat, until it finishes or a bound is reached."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field, ValidationError

from runners.budget import Budget, Spent
from runners.calls import Caller
from runners.events import ModelReplied, PromptSent, RunnerEvent, ToolCalled
from runners.models.chat import ChatModel, Frozen, Message, Reply, ToolCall, ToolSchema
from runners.models.rescue import rescue
from runners.redact import Redactor
from runners.stuck import HINTS, circling
from runners.tools.base import ToolResult

_SILENT_REPLIES = 3
_ENDING = ("finish", "give_up")
_NUDGE = "Go on with a tool call. When the task is done, call `finish`; if it cannot be done, call `give_up`."
_CUT_OFF = "Your reply was cut off by the length limit. Go on in smaller steps, one tool call at a time."


class ThreadAnswer(Frozen):
    thread: int = Field(description="The id of the review thread.")
    answer: str = Field(description="One to three sentences for the reviewer.", max_length=4000)


class Finish(Frozen):
    summary: str = Field(description="Two to five sentences for the reviewer.", max_length=8000)
    answers: tuple[ThreadAnswer, ...] = Field(
        default=(), description="An answer to each review thread, if there are any."
    )


class GiveUp(Frozen):
    reason: str = Field(description="What is missing or in the way, for the maintainer.", max_length=8000)


ENDINGS = (
    ToolSchema(
        name="finish",
        description="Say that the task is done. A verifier then checks it in a clean checkout.",
        parameters=Finish.model_json_schema(),
    ),
    ToolSchema(
        name="give_up",
        description="Say that the task cannot be done, and why.",
        parameters=GiveUp.model_json_schema(),
    ),
)


class Ended(Frozen):
    """How a loop ended: the model finished or gave up, a budget was used up, or it was stuck."""

    reason: Literal["finish", "give_up", "budget", "stuck"]
    text: str
    answers: dict[int, str] = {}


class Agent:
    """One conversation with one model and one set of tools.

    `log` gets each event before anything is built on it: a reply before its calls are run, a turn's
    results together. It may raise to end the loop (a cancelled run does so).
    """

    def __init__(
        self,
        model: ChatModel,
        tools: Caller,
        log: Callable[[Sequence[RunnerEvent]], None],
        budget: Budget,
        cancel: threading.Event | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._model = model
        self._tools = tools
        self._redactor = redactor or Redactor()
        self._log = log
        self._budget = budget
        self._cancel = cancel
        self._called: list[ToolCalled] = []
        self._advised = False
        self._schemas = [*tools.toolbox.schemas(), *ENDINGS]

    def run(self, conversation: Sequence[Message], spent: Spent) -> Ended:
        """Go on with `conversation` until it ends; `spent` is what the run has used before."""
        messages = list(conversation)
        silent = 0
        while True:
            calls = unanswered(messages)
            if calls:
                ended, seconds = self._answer(calls, messages)
                if ended is not None:
                    return ended
                spent = spent.model_copy(update={"seconds": spent.seconds + seconds})
                advice = circling(self._called)
                if advice is not None:
                    if self._advised:
                        return Ended(
                            reason="stuck", text="The model went round in circles, also after a hint."
                        )
                    self._advised, self._called = True, []
                    self._nudge(HINTS[advice], messages)
                continue
            over = spent.over(self._budget) or self._tools.over
            if over is not None:
                return Ended(reason="budget", text=f"The run has used its {over}.")
            reply, seconds, correction = self._ask(messages, spent.turns)
            spent = add(spent, reply, seconds)
            messages.append(as_message(reply))
            if not reply.tool_calls:
                silent += 1
                if silent == _SILENT_REPLIES:
                    return Ended(reason="stuck", text="The model stopped calling tools.")
                self._nudge(_CUT_OFF if reply.stop == "length" else correction or _NUDGE, messages)
            else:
                silent = 0

    def _nudge(self, hint: str, messages: list[Message]) -> None:
        self._log([PromptSent(reason="nudge", text=hint)])
        messages.append(Message(role="user", text=hint))

    def _ask(self, messages: Sequence[Message], turn: int) -> tuple[Reply, float, str]:
        """The next reply, with the calls that are in it; its seconds; and what to tell the model if a call is unclear."""
        started = time.monotonic()
        reply = _without_secrets(
            self._model.reply(messages, self._schemas, cancel=self._cancel), self._redactor
        )
        seconds = time.monotonic() - started
        writing = self._tools.toolbox.writing | set(_ENDING)
        found = rescue(reply, self._schemas, writing, turn)
        said = ""
        if found.family:
            said = reply.text
            reply = reply.model_copy(update={"text": found.text, "tool_calls": found.calls, "stop": "tools"})
        self._log(
            [
                ModelReplied(
                    phase="implement", reply=reply, seconds=round(seconds, 3), rescued=found.family, said=said
                )
            ]
        )
        return reply, seconds, found.correction

    def _answer(self, calls: Sequence[ToolCall], messages: list[Message]) -> tuple[Ended | None, float]:
        """Run the calls and log their results together; after an ending call nothing is run."""
        last = next((at for at, call in enumerate(calls) if call.name in _ENDING), len(calls))
        made = self._tools.run(calls[:last], self._cancel)
        ended: Ended | None = None
        for call in calls[last:]:
            if ended is not None:
                result = ToolResult(ok=False, text="Not run: the task was ended before.")
            elif call.name in _ENDING:
                ended, result = _ending(call)
            else:
                result = ToolResult(ok=False, text=f"Not run: `{calls[last].name}` must be the last call.")
            made.append(self._tools.entry(call, result))
        messages += [Message(role="tool", text=event.text, tool_call_id=event.call.id) for event in made]
        self._log(made)
        self._called += made
        return ended, sum(event.seconds for event in made)


def _ending(call: ToolCall) -> tuple[Ended | None, ToolResult]:
    try:
        if call.name == "give_up":
            given = GiveUp.model_validate_json(call.arguments)
            return Ended(reason="give_up", text=given.reason), ToolResult(ok=True, text="Noted.")
        done = Finish.model_validate_json(call.arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        return None, ToolResult(ok=False, text=f"{call.name}: {where}: {first['msg']}. Call it again.")
    answers = {answer.thread: answer.answer for answer in done.answers}
    return (
        Ended(reason="finish", text=done.summary, answers=answers),
        ToolResult(ok=True, text="Passed on to the verifier."),
    )


def _without_secrets(reply: Reply, redactor: Redactor) -> Reply:
    """`reply` without the secrets this process knows, before anything is done with it or stored."""
    if not redactor.values:
        return reply
    known = redactor.known
    calls = tuple(call.model_copy(update={"arguments": known(call.arguments)}) for call in reply.tool_calls)
    return reply.model_copy(
        update={"text": known(reply.text), "reasoning": known(reply.reasoning), "tool_calls": calls}
    )


def as_message(reply: Reply) -> Message:
    """The assistant message that stands for a reply in the conversation; reasoning is not sent back."""
    return Message(role="assistant", text=reply.text, tool_calls=reply.tool_calls)


def add(spent: Spent, reply: Reply, seconds: float) -> Spent:
    """`spent` after one more reply."""
    return Spent(
        turns=spent.turns + 1,
        prompt_tokens=spent.prompt_tokens + reply.usage.prompt_tokens,
        completion_tokens=spent.completion_tokens + reply.usage.completion_tokens,
        seconds=spent.seconds + seconds,
    )


def unanswered(messages: Sequence[Message]) -> list[ToolCall]:
    """The calls of the last assistant message that have no result yet."""
    answered: set[str | None] = set()
    for message in reversed(messages):
        if message.role == "assistant":
            return [call for call in message.tool_calls if call.id not in answered]
        if message.role == "user":
            return []
        answered.add(message.tool_call_id)
    return []


def conversation_from_log(head: Sequence[Message], events: Sequence[RunnerEvent]) -> list[Message]:
    """The implementing conversation as a run's log has it: what a resumed run goes on from."""
    messages = list(head)
    for event in events:
        if isinstance(event, ModelReplied) and event.phase == "implement":
            messages.append(as_message(event.reply))
        elif isinstance(event, ToolCalled):
            messages.append(Message(role="tool", text=event.text, tool_call_id=event.call.id))
        elif isinstance(event, PromptSent):
            messages.append(Message(role="user", text=event.text))
    return messages
