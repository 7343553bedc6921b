"""The tool loop: ask the model, run its calls, log, repeat, until it finishes or reaches a limit."""

import threading
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from pydantic import Field, ValidationError

from gherkin.validation import first_problem
from gherkin.values import Frozen
from runners.contract.budget import Budget, Spent
from runners.contract.events import Advised, Condensed, ModelReplied, PromptSent, RunnerEvent, ToolCalled
from runners.contract.memory import MAX_LESSON, Learned
from runners.loop.asking import ask
from runners.loop.calls import Caller
from runners.loop.conversation import (
    CondenseStep,
    Room,
    advice,
    as_message,
    condensed,
    to_condense,
    unanswered,
)
from runners.loop.stuck import HINTS, stuck_pattern
from runners.loop.summary import summarise
from runners.models.chat import (
    Choice,
    ContextTooLong,
    Message,
    ModelRefusedRequest,
    Reply,
    ToolCall,
    ToolSchema,
)
from runners.models.rescue import rescue
from runners.models.roster import Engine
from runners.policy.redact import Redactor
from runners.tools.base import ENDING_TOOLS, ToolResult

_SILENT_REPLIES = 3
# How often in a row a `finish` is not accepted before the loop ends.
_REFUSALS = 3
_NUDGE = "Go on with a tool call. When the task is done, call `finish`; if it cannot be done, call `give_up`."
_LAST = (
    "Your budget allows one more reply. If the task is done, call `finish`. If not, call `give_up` and say "
    "what is done and what is missing."
)
CHECK = "Not submitted yet. This is your change:\n"
_MAX_WORDS = 1500
# What is done when a server says that the conversation is too long, once, twice and three times.
_REFUSED: tuple[CondenseStep, ...] = ("results", "digest", "digest")
_CUT_OFF = "Your reply was cut off by the length limit. Go on in smaller steps, one tool call at a time."


class ThreadAnswer(Frozen):
    thread: int = Field(description="Id of the review thread; 0 for the text of the review itself.")
    answer: str = Field(description="One to three sentences for the reviewer.", max_length=4000)
    done: bool = Field(
        default=True, description="False if you did not do what the thread asks; the answer then says why."
    )
    lesson: str = Field(
        default="",
        max_length=MAX_LESSON,
        description="If the thread states a rule for later work here too: the rule in one sentence.",
    )
    outdated: str = Field(
        default="",
        max_length=2 * MAX_LESSON,
        description="If the thread contradicts a line of the repository's memory: that line, word for word.",
    )


class Finish(Frozen):
    summary: str = Field(description="Two to five sentences for the reviewer.", max_length=8000)
    answers: tuple[ThreadAnswer, ...] = Field(
        default=(), description="An answer to each review thread and to the review, if there are any."
    )
    learned: tuple[Learned, ...] = Field(
        default=(),
        max_length=10,
        description="What later work here needs to know and no document says. Usually nothing.",
    )


class GiveUp(Frozen):
    reason: str = Field(
        description="What is missing or prevents the task, in a few sentences for the maintainer.",
        max_length=8000,
    )


class Ask(Frozen):
    question: str = Field(
        description="The one question that you need answered, for the maintainer.", max_length=4000
    )


ENDINGS = (
    ToolSchema(
        name="finish",
        description="Report that the task is done. A verifier then checks your work in a clean checkout.",
        parameters=Finish.model_json_schema(),
    ),
    ToolSchema(
        name="give_up",
        description="Report that the task cannot be done, and why. This ends your work.",
        parameters=GiveUp.model_json_schema(),
    ),
    ToolSchema(
        name="ask",
        description="Ask a question that only the author of the task can decide. This ends your work.",
        parameters=Ask.model_json_schema(),
    ),
)


class Ended(Frozen):
    """Why a loop ended: the model finished, gave up, asked, used up its budget, or was stuck. `answers`
    maps ids of review threads to answers; `declined` are the threads whose requests were not carried out.
    `learned` is what later work should know, `outdated` are lines of the repository's memory that a review
    contradicts.
    """

    reason: Literal["finish", "give_up", "ask", "budget", "stuck"]
    text: str
    answers: dict[int, str] = {}
    declined: tuple[int, ...] = ()
    learned: tuple[Learned, ...] = ()
    outdated: tuple[str, ...] = ()


class Navigator(Protocol):
    """Returns advice on the conversation so far, as events that are not logged yet. Raises `Cancelled`."""

    def __call__(self, messages: Sequence[Message]) -> Sequence[RunnerEvent]: ...


class Agent:
    """One conversation with one model and one set of tools.

    `log` stores events before anything depends on them: a reply before its calls are run, the results of a
    turn together. It may raise to end the loop, as it does for a cancelled run. The first `finish` is
    answered with the text of `checklist`; the second one ends the loop. `inbox` returns the messages that
    came in since it was last called. `navigator` is asked for advice when the model repeats itself. `refusal`
    returns the reason why such a `finish` is not accepted, or an empty text.
    """

    def __init__(
        self,
        engine: Engine,
        tools: Caller,
        log: Callable[[Sequence[RunnerEvent]], None],
        budget: Budget,
        cancel: threading.Event | None = None,
        redactor: Redactor | None = None,
        checklist: Callable[[], str] | None = None,
        inbox: Callable[[], Sequence[str]] = tuple,
        navigator: Navigator = lambda _messages: (),
        refusal: Callable[[Ended], str] = lambda _ended: "",
    ) -> None:
        self._engine = engine
        self._tools = tools
        self._redactor = redactor or Redactor()
        self._log = log
        self._budget = budget
        self._cancel = cancel
        self._checklist = checklist
        self._inbox = inbox
        self._navigator = navigator
        self._refusal = refusal
        self._refused = 0
        self._called: list[ToolCalled] = []
        self._advised = False
        self._schemas = [*tools.toolbox.schemas(), *ENDINGS]
        self._room = Room(engine.context_length, engine.max_tokens, self._schemas)
        self.spent = Spent()

    def run(self, conversation: Sequence[Message], spent: Spent) -> Ended:
        """Continue `conversation` until it ends; `spent` is what the run has used before."""
        messages = list(conversation)
        self.spent = spent
        silent = 0
        told = False
        while True:
            calls = unanswered(messages)
            if calls:
                ended = self._answer(calls, messages) or self._advise(messages)
                if ended is not None:
                    return ended
                continue
            over = self.spent.over(self._budget) or self._tools.over
            if over is not None:
                return Ended(reason="budget", text=f"The run has used its {over}.{_last_words(messages)}")
            if not told and self.spent.is_last(self._budget, self._room.tokens(messages)):
                self._nudge(_LAST, messages)
                told = True
            for text in self._inbox():
                self._log([PromptSent(reason="comment", text=text)])
                messages.append(Message(role="user", text=text))
            # A model that only talks is made to call, where its server can do so.
            reply, correction = self._ask(messages, "required" if silent == _SILENT_REPLIES - 1 else "auto")
            messages.append(as_message(reply))
            if not reply.tool_calls:
                silent += 1
                if silent == _SILENT_REPLIES:
                    return Ended(reason="stuck", text="The model stopped calling tools.")
                self._nudge(_CUT_OFF if reply.stop == "length" else correction or _NUDGE, messages)
            else:
                silent = 0

    def _advise(self, messages: list[Message]) -> Ended | None:
        """Give a hint when the model repeats itself, and end the loop when it still does after a hint."""
        circle = stuck_pattern(self._called)
        if circle is None:
            return None
        if self._advised:
            return Ended(reason="stuck", text="The model repeated itself, even after a hint.")
        self._advised, self._called = True, []
        self._nudge(HINTS[circle], messages)
        self.advised(self._navigator(messages), messages)
        return None

    def advised(self, events: Sequence[RunnerEvent], messages: list[Message]) -> None:
        """Log a navigator's `events` and add its advice to the conversation."""
        if events:
            self._log(events)
        for event in events:
            if isinstance(event, ModelReplied):
                self._spend(event)
            elif isinstance(event, Advised) and event.text:
                messages.append(advice(event))

    def _spend(self, replied: ModelReplied) -> None:
        self.spent = self.spent.after(replied.reply.usage, replied.seconds, replied.cost)

    def _nudge(self, hint: str, messages: list[Message]) -> None:
        self._log([PromptSent(reason="nudge", text=hint)])
        messages.append(Message(role="user", text=hint))

    def _ask(self, messages: list[Message], choice: Choice) -> tuple[Reply, str]:
        """Return the next reply with the calls in it, and what to tell the model if a call is unclear."""
        replied = self._fitting(messages, choice)
        reply = replied.reply
        writing = self._tools.toolbox.writing | set(ENDING_TOOLS)
        found = rescue(reply, self._schemas, writing, self.spent.turns)
        if found.family:
            said = reply.text
            reply = reply.model_copy(update={"text": found.text, "tool_calls": found.calls, "stop": "tools"})
            replied = replied.model_copy(update={"reply": reply, "rescued": found.family, "said": said})
        self._log([replied])
        self._spend(replied)
        self._room.measured(messages, reply.usage)
        return reply, found.correction

    def _fitting(self, messages: list[Message], choice: Choice) -> ModelReplied:
        """Return the model's reply, condensing a conversation that is too long first.

        Raises what `ChatModel.reply` raises.
        """
        step = self._room.step(messages)
        refusals = 0
        while True:
            if step is not None:
                self._condense(messages, step, self._room.kept(messages, step) // (1 + refusals))
                step = self._room.next_step(messages) if step == "results" else None
                continue
            try:
                return ask(
                    self._engine,
                    "implement",
                    messages,
                    tools=self._schemas,
                    choice=choice,
                    cancel=self._cancel,
                    redactor=self._redactor,
                )
            except ContextTooLong:
                if refusals == len(_REFUSED):
                    raise
                step = _REFUSED[refusals]
                refusals += 1
            except ModelRefusedRequest:
                if choice == "auto":
                    raise
                choice = "auto"

    def _condense(self, messages: list[Message], step: CondenseStep, kept: int) -> None:
        tokens = self._room.tokens(messages)
        replied: list[ModelReplied] = []
        summary = problem = ""
        old = to_condense(messages, kept)
        if step == "digest" and old:
            if self.spent.is_last(self._budget, tokens):
                problem = "The budget has no room for it."
            else:
                replied, summary, problem = summarise(self._engine, old, self._cancel, self._redactor)
        done = Condensed(step=step, kept=kept, tokens=tokens, summary=summary, problem=problem)
        self._log([*replied, done])
        for each in replied:
            self._spend(each)
        messages[:] = condensed(messages, step, kept, summary)
        self._room.forget()

    def _answer(self, calls: Sequence[ToolCall], messages: list[Message]) -> Ended | None:
        """Run the calls and log their results together; after an ending call nothing is run."""
        last = next((at for at, call in enumerate(calls) if call.name in ENDING_TOOLS), len(calls))
        made = self._tools.run(calls[:last], self._cancel)
        ended: Ended | None = None
        for call in calls[last:]:
            if ended is not None:
                result = ToolResult(ok=False, text="Not run: the task was ended before.")
            elif call.name in ENDING_TOOLS:
                ended, result = ending(call)
                finished = ended is not None and ended.reason == "finish"
                refusal = self._refusal(ended) if ended is not None and finished else ""
                self._refused = self._refused + 1 if refusal else 0
                if refusal:
                    stuck = Ended(
                        reason="stuck",
                        text=f"The model called `finish` {_REFUSALS} times too early. {refusal}",
                    )
                    ended = stuck if self._refused == _REFUSALS else None
                    result = ToolResult(ok=False, text=refusal)
                elif finished and self._unchecked(messages):
                    ended, result = None, ToolResult(ok=True, text=CHECK + (self._checklist or str)())
            else:
                result = ToolResult(ok=False, text=f"Not run: `{calls[last].name}` must be the last call.")
            made.append(self._tools.entry(call, result))
        messages += [Message(role="tool", text=event.text, tool_call_id=event.call.id) for event in made]
        self._log(made)
        self._called += made
        seconds = sum(event.seconds for event in made)
        self.spent = self.spent.model_copy(update={"seconds": self.spent.seconds + seconds})
        return ended

    def _unchecked(self, messages: Sequence[Message]) -> bool:
        """Return whether the model has not reviewed its work yet, and has a reply left to do so."""
        if self._checklist is None or self.spent.is_last(self._budget, self._room.tokens(messages)):
            return False
        return not any(each.role == "tool" and each.text.startswith(CHECK) for each in messages)


def ending(call: ToolCall) -> tuple[Ended | None, ToolResult]:
    """Return the end that a call of an ending tool asks for, None if it is malformed, and its answer."""
    try:
        if call.name == "ask":
            question = Ask.model_validate_json(call.arguments).question
            return Ended(reason="ask", text=question), ToolResult(ok=True, text="Noted.")
        if call.name == "give_up":
            given = GiveUp.model_validate_json(call.arguments)
            return Ended(reason="give_up", text=given.reason), ToolResult(ok=True, text="Noted.")
        done = Finish.model_validate_json(call.arguments)
    except ValidationError as error:
        wrong = first_problem(error, "arguments")
        return None, ToolResult(ok=False, text=f"{call.name}: {wrong}. Call it again.")
    answers = {answer.thread: answer.answer for answer in done.answers}
    declined = tuple(answer.thread for answer in done.answers if not answer.done)
    # A remark that led to no change teaches nothing.
    heeded = [answer for answer in done.answers if answer.done]
    lessons = [Learned(text=answer.lesson) for answer in heeded if answer.lesson.strip()]
    return (
        Ended(
            reason="finish",
            text=done.summary,
            answers=answers,
            declined=declined,
            learned=(*lessons, *done.learned),
            outdated=tuple(answer.outdated for answer in heeded if answer.outdated.strip()),
        ),
        ToolResult(ok=True, text="Passed on to the verifier."),
    )


def _last_words(messages: Sequence[Message]) -> str:
    last = next((each.text for each in reversed(messages) if each.role == "assistant"), "")
    return f" Its last words: {last[:_MAX_WORDS]}" if last.strip() else ""
