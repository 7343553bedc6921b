"""A run's state, computed from its log."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.log.events import (
    APPROVAL,
    COMPANIONS,
    Adjusted,
    Asked,
    Controlled,
    Entry,
    Event,
    Labelled,
    NodeEntered,
    Phase,
    PhaseDelayed,
    PhaseFinished,
    PhaseStarted,
    Prepared,
    Published,
    PullEnded,
    RunEnded,
    RunRequested,
    Status,
    StatusPosted,
    Superseded,
    WorkLeft,
)
from gherkin.values import Frozen
from runners.contract.budget import Spent
from runners.contract.events import (
    BaselineReached,
    Committed,
    ModelReplied,
    NodeReported,
    Reviewed,
    SpecWritten,
    Surveyed,
    ToolCalled,
    VerdictReached,
)
from runners.contract.job import RunSettings
from runners.contract.spending import after_event
from runners.contract.team_events import (
    CandidateBegun,
    CandidateChosen,
    CandidateEnded,
    CandidateWork,
    Critiqued,
    PairEnded,
    PairTurn,
    PairTurnEnded,
    RevisionJudged,
)
from runners.policy.attempts import attempt
from runners.verify.verdict import Verdict


class PhaseTime(Frozen):
    """One execution of a phase; times are UTC in ISO 8601, and `ended` is empty until it ends.

    `ended` is when its own work ended: what it then waited for its companion is not counted.
    """

    phase: Phase
    started: str
    ended: str = ""


class Candidate(Frozen):
    """A finished candidate, with the run's state at its end."""

    ended: CandidateEnded
    committed: Committed | None = None
    verdict: Verdict | None = None
    review: Reviewed | None = None
    critique: "CritiqueRound | None" = None
    pair: "PairWork | None" = None


class CritiqueRound(Frozen):
    """The critique of a proven change, with the run's state before the author revised it.

    It also says which of the two changes was taken (None: not decided, or not revised).
    """

    critiqued: Critiqued
    committed: Committed | None = None
    verdict: Verdict | None = None
    judged: RevisionJudged | None = None


class PairWork(Frozen):
    """The steps of a pair with the numbers of those that turned green, and how the pair's work ended."""

    turns: tuple[PairTurn, ...] = ()
    green: tuple[int, ...] = ()
    ended: PairEnded | None = None


class RunState(Frozen):
    """Everything known about a run. Fields are None as long as the log does not have their values."""

    requested: RunRequested | None = None
    requested_at: str = ""
    phase: Phase | None = None
    times: tuple[PhaseTime, ...] = ()
    finished: tuple[PhaseFinished, ...] = ()
    delayed: PhaseDelayed | None = None
    prepared: Prepared | None = None
    spec: SpecWritten | None = None
    baseline: BaselineReached | None = None
    survey: Surveyed | None = None
    committed: Committed | None = None
    verdict: Verdict | None = None
    review: Reviewed | None = None
    critique: CritiqueRound | None = None
    pair: PairWork | None = None
    candidates: tuple[Candidate, ...] = ()
    # The candidate that is being worked on, and the one that was chosen.
    candidate: CandidateBegun | None = None
    chosen: CandidateChosen | None = None
    # The state of each candidate that is made side by side with others, by its number.
    lanes: dict[int, "RunState"] = {}
    # The operator's node that is next or at work, and the newest report of each that ran.
    node: str = ""
    reports: tuple[NodeReported, ...] = ()
    # Whether somebody has to approve what the newest phase or node left.
    asking: bool = False
    signed: dict[str, str] = {}
    tool_calls: int = 0
    # What the model tried although it may not, in words -> how often.
    attempts: dict[str, int] = {}
    spent: Spent = Spent()
    models: tuple[str, ...] = ()
    sandboxed: bool = True
    # Commands had no sandbox but the pod of their Kubernetes Job.
    only_pod: bool = False
    status_comment: int | None = None
    asked: tuple[str, ...] = ()
    published: Published | None = None
    ended_pull: PullEnded | None = None
    # The run that began on the same target after this one had ended without a result.
    superseded_by: str = ""
    left: WorkLeft | None = None
    status: Status = "active"
    reason: str = ""
    code: str = ""
    updated_at: str = ""
    seq: int = 0
    approved_by: str = ""
    # What somebody has set in a comment: turns in all (None: the repository's), the driver's runtime.
    turns: int | None = None
    model: str = ""
    # The label with the run's state, as the run set it last (None: none yet).
    label: str | None = None

    @property
    def settings(self) -> RunSettings:
        """Return the repository's settings with what was changed for this run; defaults before it is
        prepared.
        """
        settings = self.prepared.settings if self.prepared else RunSettings()
        if self.turns is None:
            return settings
        budget = settings.budget.model_copy(update={"turns": self.turns})
        return settings.model_copy(update={"budget": budget})

    @property
    def opens_draft(self) -> bool:
        """Return whether the proven change is opened as a draft."""
        warned = self.verdict is not None and self.verdict.status == "warning"
        return self.settings.draft == "always" or (self.settings.draft == "warnings" and warned)

    @property
    def waits_for_approval(self) -> bool:
        """Return whether the run waits until a person approves its scenarios, or at an operator's human
        node.
        """
        return self.status == "paused" and self.asking

    @property
    def waits_at_node(self) -> str:
        """Return the operator's human node at which the run waits for an approval; empty if it does not."""
        return self.finished[-1].node if self.waits_for_approval and self.finished else ""


def fold(entries: Iterable[Entry], state: RunState | None = None) -> RunState:
    """Return the state after `entries`, starting from `state` (None: the empty state)."""
    current = (state or RunState()).model_copy()
    for entry in entries:
        changes = {"seq": entry.seq, "updated_at": entry.at, **_apply(current, entry.event)}
        if isinstance(entry.event, RunRequested):
            changes["requested_at"] = entry.at
        elif isinstance(entry.event, (PhaseStarted, PhaseFinished, PhaseDelayed)):
            changes["times"] = _timed(current.times, entry.event, entry.at)
        # The copy is changed in place, because a copy for each event would take most of the time.
        current.__dict__.update(changes)
    return current


def _timed(
    times: tuple[PhaseTime, ...], event: PhaseStarted | PhaseFinished | PhaseDelayed, at: str
) -> tuple[PhaseTime, ...]:
    if isinstance(event, PhaseStarted):
        return (*times, PhaseTime(phase=event.phase, started=at))
    # A companion that was stopped logs no end: it ended with the phase that it accompanied.
    over = {each: at for each in COMPANIONS if event.phase not in COMPANIONS}
    over[event.phase] = at
    if isinstance(event, PhaseFinished) and event.waited_s:
        own = datetime.fromisoformat(at) - timedelta(seconds=event.waited_s)
        over[event.phase] = own.isoformat()
    return tuple(
        each.model_copy(update={"ended": over[each.phase]}) if each.phase in over and not each.ended else each
        for each in times
    )


def _apply(state: RunState, event: Event) -> dict[str, object]:
    if isinstance(event, CandidateWork) and event.candidate:
        return _in_lane(state, event, event.candidate)
    return _applied(state, event)


def _in_lane(state: RunState, event: Event, number: int) -> dict[str, object]:
    """Return what an event of a candidate made side by side changes: its own state, and what the run has
    used.
    """
    lane = state.lanes.get(number, RunState())
    alone = event.model_copy(update={"candidate": 0})
    lane = lane.model_copy(update=_applied(lane, alone))
    used = {
        name: value
        for name, value in _applied(state, alone).items()
        if name in ("spent", "models", "tool_calls", "attempts")
    }
    if isinstance(event, CandidateEnded):
        used["candidates"] = (*state.candidates, *lane.candidates)
        lane = RunState()
    return {**used, "lanes": {**state.lanes, number: lane}}


def _applied(state: RunState, event: Event) -> dict[str, object]:
    match event:
        case RunRequested():
            return {"requested": event}
        case Prepared():
            return {"prepared": event}
        case PhaseStarted():
            sandboxed: dict[str, object] = {
                "sandboxed": state.sandboxed and event.sandboxed,
                "only_pod": state.only_pod or (event.runner == "kubernetes" and not event.sandboxed),
            }
            if event.phase in COMPANIONS:
                return sandboxed
            return {"phase": event.phase, "delayed": None, **sandboxed}
        case PhaseFinished():
            failed = {"reason": event.reason, "code": event.code} if event.reason else {}
            return {
                "finished": (*state.finished, event),
                "asking": event.outcome == APPROVAL,
                **failed,
            }
        case NodeEntered():
            return {"node": event.node}
        case NodeReported():
            others = tuple(each for each in state.reports if each.node != event.node)
            return {"reports": (*others, event)}
        case PhaseDelayed():
            return {"delayed": event}
        case SpecWritten():
            return {
                "spec": event,
                "candidates": (),
                "candidate": None,
                "chosen": None,
                "critique": None,
                "pair": None,
            }
        case BaselineReached():
            return {"baseline": event}
        case ModelReplied():
            known = event.reply.model in state.models or not event.reply.model
            return {
                "spent": after_event(state.spent, event),
                "models": state.models if known else (*state.models, event.reply.model),
            }
        case ToolCalled():
            changes: dict[str, object] = {
                "spent": after_event(state.spent, event),
                "tool_calls": state.tool_calls + 1,
            }
            call = event.call
            tried = attempt(event.capability, call.arguments, event.text, denied=event.denied)
            if tried:
                changes["attempts"] = {**state.attempts, tried: state.attempts.get(tried, 0) + 1}
            return changes
        case Surveyed():
            return {"survey": event}
        case Committed():
            return {"committed": event}
        case VerdictReached():
            return {"verdict": event.verdict, "spent": after_event(state.spent, event)}
        case Reviewed():
            return {"review": event}
        case PairTurn() | PairTurnEnded() | PairEnded():
            return {"pair": _pair(state.pair or PairWork(), event)}
        case Critiqued():
            critique = CritiqueRound(critiqued=event, committed=state.committed, verdict=state.verdict)
            return {"critique": critique}
        case RevisionJudged() if state.critique is not None:
            before = state.critique
            judged: dict[str, object] = {"critique": before.model_copy(update={"judged": event})}
            if event.taken == "first":
                judged |= {"committed": before.committed, "verdict": before.verdict}
            return judged
        case CandidateBegun() | CandidateEnded() | CandidateChosen():
            return _candidate(state, event)
        case Controlled():
            return _controlled(state, event)
        case Adjusted():
            turns = state.turns if event.turns is None else event.turns
            return {"turns": turns, "model": event.model or state.model}
        case StatusPosted():
            return {"status_comment": event.comment}
        case Labelled():
            return {"label": event.label}
        case Asked():
            return {"asked": (*state.asked, event.key)}
        case Published():
            return {"published": event}
        case PullEnded():
            return {"ended_pull": event}
        case WorkLeft():
            # If this end made no draft, the draft of an earlier one stays.
            known = state.left is not None and event.pull is None
            return {} if known else {"left": event}
        case Superseded():
            return {"superseded_by": event.run}
        case RunEnded():
            return {"status": event.status}
        case _:
            return {}


def _pair(work: PairWork, event: PairTurn | PairTurnEnded | PairEnded) -> PairWork:
    match event:
        case PairTurn():
            return work.model_copy(update={"turns": (*work.turns, event)})
        case PairTurnEnded(outcome="green"):
            return work.model_copy(update={"green": (*work.green, event.number)})
        case PairEnded():
            return work.model_copy(update={"ended": event})
        case _:
            return work


def _candidate(
    state: RunState, event: CandidateBegun | CandidateEnded | CandidateChosen
) -> dict[str, object]:
    match event:
        case CandidateBegun():
            return {
                "candidate": event,
                "committed": None,
                "verdict": None,
                "review": None,
                "critique": None,
                "pair": None,
            }
        case CandidateEnded():
            ended = Candidate(
                ended=event,
                committed=state.committed,
                verdict=state.verdict,
                review=state.review,
                critique=state.critique,
                pair=state.pair,
            )
            return {"candidates": (*state.candidates, ended)}
        case CandidateChosen():
            best = next(each for each in state.candidates if each.ended.number == event.number)
            return {
                "chosen": event,
                "committed": best.committed,
                "verdict": best.verdict,
                "review": best.review,
                "critique": best.critique,
                "pair": best.pair,
            }


def _controlled(state: RunState, event: Controlled) -> dict[str, object]:
    match event.control:
        case "pause":
            return {"status": "paused", "reason": event.reason, "code": ""}
        case "resume":
            approved: dict[str, object] = {}
            if node := state.waits_at_node:
                approved = {"signed": {**state.signed, node: event.by}}
            elif state.waits_for_approval:
                approved = {"approved_by": event.by}
            return {"status": "active", "reason": "", "code": "", "asking": False, **approved}
        case "respecify":
            return {
                "status": "active",
                "phase": "specify",
                "reason": "",
                "code": "",
                "approved_by": "",
                "asking": False,
            }
        case "retry":
            again = {"status": "active", "phase": event.phase, "reason": "", "code": ""}
            return {**again, "delayed": None, "superseded_by": ""}
        case "cancel":
            return {"status": "active", "reason": event.reason, "code": ""}
