"""A pair: a navigator of another model says what comes next, and the driver does it.

What was run decides: a step counts if its test or scenario failed before it and passes after it. A pair's
whole state follows from the run's log, so a run that lost its worker continues with the unfinished step.
"""

import ast
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import Field, ValidationError

from gherkin.errors import ScenaristError
from gherkin.validation import first_problem
from gherkin.values import Frozen
from runners.contract.budget import Spent
from runners.contract.events import ModelReplied, PromptSent, RunnerEvent, ToolCalled
from runners.contract.job import FEATURE, Job, scenarios_folder
from runners.contract.operator_limits import OperatorLimits
from runners.contract.team_events import PairEnded, PairOutcome, PairTurn, PairTurnEnded
from runners.git.workspaces import Worktree
from runners.loop.agent import Agent, Ended, ending
from runners.loop.asking import ask
from runners.loop.calls import Caller
from runners.loop.conversation import conversation_from_log
from runners.loop.prompting import RepositoryFacts, pair_prompt
from runners.loop.services import Services
from runners.models.chat import Message
from runners.models.json_answers import read_json
from runners.models.roster import Roster
from runners.phases.given.lookups import looked_up
from runners.policy.plaintext import one_line
from runners.sandbox.beneath import put_file, read_file
from runners.tools.test_runs import Testing
from runners.verify.rules.purposes import purpose_of
from runners.verify.suites.run import SuiteRun, summarise

# Steps of one candidate at most, whatever came of them.
MOST_TURNS = 8
# After this many steps that turned green, driver and navigator swap.
_SWAP_AFTER = 2
# How often the navigator is asked for a step that holds.
_TRIES = 2
_MAX_CONTENT = 20_000
_MAX_REASON = 600

_TEXT = {"type": "string"}
PAIR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "step": {"type": "string", "enum": ["test", "scenario", "object", "approve"]},
        "scenario": _TEXT,
        "path": _TEXT,
        "content": _TEXT,
        "reason": _TEXT,
    },
    "required": ["step", "scenario", "path", "content", "reason"],
    "additionalProperties": False,
}


class MakeAgent(Protocol):
    """Makes the loop of the driver `runtime`; `unmet` returns why a `finish` is refused, or an empty text."""

    def __call__(self, runtime: str, unmet: Callable[[], str]) -> Agent: ...


class Roles(NamedTuple):
    """The runtimes of driver and navigator."""

    driver: str
    navigator: str


def roles_of(roster: Roster, number: int, own: Sequence[RunnerEvent]) -> Roles | None:
    """Return who drives and who navigates now; None if no second model can navigate.

    `own` are the events of the candidate `number`. The second candidate starts with the roles swapped; after
    every two steps that turned green, they are swapped again.
    """
    driver = roster.agent("driver").runtime
    navigator = roster.agent("navigator").runtime if roster.has("navigator") else ""
    if not roster.differ(driver, navigator):
        navigator = roster.peer([driver]) or ""
    if not navigator:
        return None
    green = sum(isinstance(event, PairTurnEnded) and event.outcome == "green" for event in own)
    swapped = (number - 1 + green // _SWAP_AFTER) % 2
    return Roles(navigator, driver) if swapped else Roles(driver, navigator)


def is_paired(job: Job, operator: OperatorLimits) -> bool:
    """Return whether a pair works on this change: one with scenarios, and no conflicts to resolve."""
    paired = job.settings.mode == "pair" and "pair" in operator.modes
    return paired and bool(job.spec.scenarios) and not job.conflicts


def ended_pair(own: Sequence[RunnerEvent]) -> PairEnded | None:
    """Return the end of the pair's work on a candidate, None before it; `own` are the candidate's events."""
    return next((event for event in reversed(own) if isinstance(event, PairEnded)), None)


def disagreed(own: Sequence[RunnerEvent]) -> bool:
    """Return whether the pair disagreed, so that another candidate is to be made."""
    ended = ended_pair(own)
    return ended is not None and ended.outcome in ("objected", "declined")


class Pairing:
    """The pair's work on one candidate, in the worktree `tree` with the driver's `tools`.

    `events` are the candidate's, and grow with each call of `log`. `head` is the fixed beginning of the
    driver's conversation.
    """

    def __init__(
        self,
        job: Job,
        services: Services,
        tree: Worktree,
        tools: Caller,
        background: RepositoryFacts,
        *,
        number: int,
        head: Sequence[Message],
        events: Sequence[RunnerEvent],
        log: Callable[[Sequence[RunnerEvent]], None],
        make_agent: MakeAgent,
    ) -> None:
        self._job, self._services, self._tree, self._tools = job, services, tree, tools
        self._background, self._number, self._head = background, number, head
        self._events, self._log, self._make_agent = events, log, make_agent
        self._testing = tools.context.resource(Testing)

    def work(self, spent: Spent) -> Ended:
        """Take the pair's steps until one of the two ends them; returns the end of the driver's newest loop.

        `spent` is what the run has used before. Raises what `ChatModel.reply` raises, and `Cancelled`.
        """
        self._spent = spent
        ended = finished_by(self._events)
        while ended_pair(self._events) is None:
            turn = self._open() or self._next()
            if turn is None:
                continue
            self._lay()
            agent = self._make_agent(turn.driver, partial(self._unmet, turn))
            ended = agent.run(conversation_from_log(self._head, self._events), self._spent)
            self._spent = agent.spent
            if ended.reason == "give_up" and turn.step == "test":
                self._decline(turn, ended.text)
            elif ended.reason != "finish":
                return ended
            else:
                self._log([PairTurnEnded(number=turn.number, outcome="green")])
        declined = ended_pair(self._events)
        if declined is not None and declined.outcome == "declined" and self._tree.diff(self._job.spec.commit):
            # What there is goes to the gate, like any other candidate.
            return Ended(reason="finish", text=declined.reason)
        return ended

    def _open(self) -> PairTurn | None:
        """Return the step that the driver has to take or has begun, or None."""
        turns = self._turns()
        ended = {event.number for event in self._events if isinstance(event, PairTurnEnded)}
        return turns[-1] if turns and turns[-1].number not in ended else None

    def _turns(self) -> list[PairTurn]:
        return [event for event in self._events if isinstance(event, PairTurn)]

    def _next(self) -> PairTurn | None:
        """Begin the next step, or log how the pair's work ends and return None."""
        roles = roles_of(self._services.models, self._number, self._events)
        if roles is None:
            raise ValueError("a pair needs two models")
        over = self._spent.over(self._job.settings.budget)
        if over is not None:
            self._end("bounded", "", f"the run has used its {over}")
            return None
        ran = self._run_feature()
        red = failing(ran, self._job.spec.scenarios)
        count = len(self._turns())
        if count > MOST_TURNS or (count == MOST_TURNS and not red):
            self._end("bounded", "", f"the pair has taken {count} steps")
            return None
        if count == MOST_TURNS:
            return self._begin(PairTurn(number=count + 1, step="rest", **roles._asdict()))
        answer = self._answer(roles, ran, red)
        if isinstance(answer, str) and red:
            given = PairTurn(number=count + 1, step="scenario", scenario=red[0], **roles._asdict())
            return self._begin(given.model_copy(update={"problem": one_line(answer, _MAX_REASON)}))
        if isinstance(answer, str):
            self._end("bounded", "", f"the navigator gave no usable step: {one_line(answer, _MAX_REASON)}")
            return None
        if answer.step == "approve":
            self._end("approved", roles.navigator, answer.reason)
            return None
        if answer.step == "object" and any(turn.step == "object" for turn in self._turns()):
            self._end("objected", roles.navigator, answer.reason)
            return None
        return self._begin(
            PairTurn(
                number=count + 1,
                step=answer.step,
                scenario=answer.scenario,
                path=answer.path,
                content=answer.content,
                reason=answer.reason,
                **roles._asdict(),
            )
        )

    def _begin(self, turn: PairTurn) -> PairTurn:
        self._log([turn, PromptSent(reason="pair", text=_told(turn))])
        return turn

    def _end(self, outcome: PairOutcome, by: str, reason: str) -> None:
        self._log([PairEnded(outcome=outcome, by=by, reason=reason)])

    def _decline(self, turn: PairTurn, reason: str) -> None:
        """Remove the navigator's test, because the driver declined it; another candidate decides."""
        put_file(self._tree.root, turn.path, None)
        text = one_line(reason, _MAX_REASON)
        self._log(
            [
                PairTurnEnded(number=turn.number, outcome="declined"),
                PairEnded(outcome="declined", by=turn.driver, reason=text),
            ]
        )

    def _answer(self, roles: Roles, ran: SuiteRun, red: Sequence[str]) -> "_NavigatorStep | str":
        """Return the navigator's step if it is valid when it is run, or why it is not."""
        refused: list[str] = []
        for reply in [*self._replies(), *[None] * _TRIES][:_TRIES]:
            replied = reply or self._asked(roles, ran, red, refused)
            found = replied if isinstance(replied, str) else self._read(replied, red)
            if not isinstance(found, str):
                return found
            refused.append(found)
        return refused[-1]

    def _read(self, replied: ModelReplied, red: Sequence[str]) -> "_NavigatorStep | str":
        """Return the step in the navigator's answer, or why it is not valid."""
        try:
            step = _NavigatorStep.model_validate(read_json(replied.reply))
        except (ValidationError, ValueError) as error:
            return first_problem(error, "answer") if isinstance(error, ValidationError) else str(error)
        step = step.model_copy(update={"reason": one_line(step.reason, _MAX_REASON)})
        if step.step == "test":
            return self._refused_test(step) or step
        if step.step == "scenario":
            return step if step.scenario in red else f"{step.scenario!r} is no failing scenario"
        if not step.reason:
            return f"{step.step!r} without a reason does not count"
        return f"{red[0]!r} fails, so there is nothing to approve" if step.step == "approve" and red else step

    def _replies(self) -> list[ModelReplied]:
        """Return the navigator's answers since the last step, which an earlier worker has paid for."""
        steps = [at for at, event in enumerate(self._events) if isinstance(event, (PairTurn, PairTurnEnded))]
        newest = self._events[steps[-1] + 1 :] if steps else self._events
        return [event for event in newest if isinstance(event, ModelReplied) and event.phase == "pair"]

    def _asked(
        self, roles: Roles, ran: SuiteRun, red: Sequence[str], refused: Sequence[str]
    ) -> ModelReplied | str:
        """Return the navigator's answer, or why there is none; `refused` is what was wrong with earlier
        ones.
        """
        states = [f"- {name}: {'fails' if name in red else 'passes'}" for name in self._job.spec.scenarios]
        messages = pair_prompt(
            self._job.run_id,
            self._job.order,
            self._background,
            feature=(self._services.artifact(FEATURE) or b"").decode(errors="replace"),
            diff=self._tree.diff(self._job.spec.commit),
            results="\n".join([*states, "", summarise(ran, "behave")]),
            steps=[
                *(_summed(turn, self._events) for turn in self._turns()),
                *(f"Your last answer was refused: {each}." for each in refused),
            ],
        )
        # After a swap the driver's model navigates, and it has tools of its own while it drives.
        navigates = roles.navigator == self._services.models.runtime_of("navigator")
        try:
            if navigates:
                messages = looked_up(
                    self._job,
                    self._services,
                    "navigator",
                    messages,
                    lend=lambda: nullcontext(self._tools),
                    log=self._log_looked_up,
                )
            replied = ask(
                self._services.models.of(roles.navigator),
                "pair",
                messages,
                schema=PAIR_SCHEMA,
                cancel=self._services.cancel,
                redactor=self._services.redactor,
            )
        except ScenaristError as error:
            return error.message
        self._log([replied])
        self._spent = self._spent.after(replied.reply.usage, replied.seconds, replied.cost)
        return replied

    def _log_looked_up(self, events: Sequence[RunnerEvent]) -> None:
        self._log(events)
        for event in events:
            if isinstance(event, ModelReplied):
                self._spent = self._spent.after(event.reply.usage, event.seconds, event.cost)

    def _refused_test(self, step: "_NavigatorStep") -> str:
        """Write the navigator's test and run it; returns why it is refused, or an empty text if it fails
        as it should.
        """
        path, root = step.path, self._tree.root
        features = scenarios_folder(self._job)
        if not path.endswith(".py") or purpose_of(path, features) != "test" or ".." in path.split("/"):
            return f"{path!r} is no path of a new Python test"
        if refused := self._tools.context.policy.write_refusal(path):
            return refused
        known = any(turn.path == path for turn in self._turns())
        if read_file(root, path) is not None and not known:
            return f"`{path}` exists already"
        try:
            ast.parse(step.content)
            put_file(root, path, step.content.encode())
        except (SyntaxError, ValueError, OSError) as error:
            return f"the test cannot be written: {error}"
        ran = self._testing.suite_run(path)
        if ran.broken is None and not ran.counts.failed:
            put_file(root, path, None)
            return "the test does not fail" if ran.outcomes else "the file holds no test"
        return ""

    def _lay(self) -> None:
        """Restore the navigators' tests, because a driver must not change them."""
        for turn in self._turns():
            if turn.step == "test":
                put_file(self._tree.root, turn.path, turn.content.encode())

    def _unmet(self, turn: PairTurn) -> str:
        """Return from what was run why the driver's step is not done; empty if it is."""
        self._lay()
        if turn.step == "test":
            ran = self._testing.suite_run(turn.path)
            done = ran.broken is None and ran.counts.passed and not ran.counts.failed
            return "" if done else f"Your navigator's test still fails.\n{summarise(ran, turn.path)}"
        ran = self._run_feature()
        wanted = {"scenario": [turn.scenario], "rest": self._job.spec.scenarios}.get(turn.step, [])
        red = failing(ran, wanted)
        return f"“{red[0]}” still fails.\n{summarise(ran, 'behave')}" if red else ""

    def _run_feature(self) -> SuiteRun:
        return self._testing.suite_run(self._job.spec.path)


class _NavigatorStep(Frozen):
    """The navigator's answer."""

    step: Literal["test", "scenario", "object", "approve"]
    scenario: str = ""
    path: str = ""
    content: str = Field(default="", max_length=_MAX_CONTENT)
    reason: str = ""


def failing(ran: SuiteRun, scenarios: Sequence[str]) -> list[str]:
    """Return those of `scenarios` of which some row did not pass in the run of their feature."""

    def passes(name: str) -> bool:
        names = {test: test.partition("::")[2] for test in ran.outcomes}
        rows = [
            ran.outcomes[test] for test, own in names.items() if own == name or own.startswith(f"{name} -- ")
        ]
        return ran.broken is None and bool(rows) and all(row == "passed" for row in rows)

    return [name for name in scenarios if not passes(name)]


def finished_by(events: Sequence[RunnerEvent]) -> Ended:
    """Return the newest `finish` of the driver in the log, or one without a summary."""
    for event in reversed(events):
        if isinstance(event, ToolCalled) and event.call.name == "finish" and event.ok:
            return ending(event.call)[0] or Ended(reason="finish", text="")
    return Ended(reason="finish", text="")


def _summed(turn: PairTurn, events: Sequence[RunnerEvent]) -> str:
    """Return a step and its result in one line for the navigator."""
    ends = [each for each in events if isinstance(each, PairTurnEnded) and each.number == turn.number]
    outcome = ends[0].outcome if ends else ""
    what = {"test": f"test {turn.path}", "scenario": f"scenario “{turn.scenario}”"}.get(turn.step, turn.step)
    return f"{turn.number}. {what}: {outcome or 'open'}. {turn.reason or turn.problem}".rstrip()


def _told(turn: PairTurn) -> str:
    """Return what the driver is told about a step."""
    end = "Then call `finish`; the pair goes on from there."
    reason = f" {turn.reason}" if turn.reason else ""
    if turn.step == "test":
        return (
            f"Your navigator wrote the test `{turn.path}`.{reason} It was run, and it fails. Make it pass "
            f"without changing it. {end} If the test is wrong, call `give_up` and say why."
        )
    if turn.step == "scenario":
        return f"Your navigator says what comes next: make the scenario “{turn.scenario}” pass.{reason} {end}"
    if turn.step == "object":
        return f"Your navigator objects:{reason} Change it where that is right. {end}"
    return f"Make all scenarios pass, and finish the change. {end}"
