"""A run's trace, as a fold of its log: spans for the run, its phases, turns, model requests and tool calls.

All ids follow from the run's id and the numbers of the log's entries. So a run that another worker continues
continues its trace. Texts of prompts, replies and tools are not in it.

Names and attributes: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-agent-spans/
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from bot.log.events import Entry, Phase, PhaseDelayed, PhaseFinished, PhaseStarted, RunEnded, RunRequested
from runners.contract.events import ModelReplied, ToolCalled

Attributes = dict[str, str | int | float | bool]
_ROOT = 0


@dataclass(frozen=True)
class Span:
    """A finished span. Times are seconds since the epoch; `error` is empty where all went well.

    `asks_model` says that it is a request to another server.
    """

    name: str
    id: int
    parent: int | None
    start: float
    end: float
    attributes: Attributes
    error: str = ""
    asks_model: bool = False


@dataclass
class _Turn:
    id: int
    number: int
    start: float
    end: float


@dataclass
class _OpenPhase:
    id: int
    phase: Phase
    start: float
    turn: _Turn | None = None


@dataclass
class RunTrace:
    """The trace of one run so far. `seq` is the number of the last entry that was read."""

    run_id: str
    seq: int = 0
    _start: float = 0.0
    _about: Attributes = field(default_factory=dict)
    _open: dict[Phase, _OpenPhase] = field(default_factory=dict)
    _turns: int = 0

    def feed(self, entry: Entry) -> list[Span]:
        """Read the next entry; returns the spans that end with it."""
        self.seq = entry.seq
        at = datetime.fromisoformat(entry.at).timestamp()
        match entry.event:
            case RunRequested() as request:
                self._start = min(at, _moment(request.order.requested_at) or at)
                self._about = {
                    "gen_ai.conversation.id": self.run_id,
                    "scenarist.forge": request.forge,
                    "scenarist.repository": request.repo,
                    "scenarist.kind": request.order.kind,
                    "scenarist.number": request.order.pull or request.order.number,
                }
                return [self._span("delivery", entry.seq, self._id(_ROOT), self._start, at)]
            case PhaseStarted() as started:
                spans = self._close(started.phase, at, "interrupted", "The worker left.")
                self._open[started.phase] = _OpenPhase(self._id(entry.seq), started.phase, at)
                return spans
            case PhaseFinished() as finished:
                return self._close(finished.phase, at, finished.outcome, finished.code)
            case PhaseDelayed() as delayed:
                return self._close(delayed.phase, at, "delayed", delayed.code)
            case ModelReplied() as replied:
                return self._replied(replied, entry.seq, at)
            case ToolCalled() as called:
                return self._called(called, entry.seq, at)
            case RunEnded() as ended:
                spans = [span for each in list(self._open) for span in self._close(each, at, "stopped", "")]
                failed = ended.status if ended.status == "failed" else ""
                about: Attributes = {**self._about, "scenarist.status": ended.status}
                return [*spans, Span("run", self._id(_ROOT), None, self._start, at, about, failed)]
        return []

    def _id(self, seq: int, part: str = "") -> int:
        digest = hashlib.sha256(f"{self.run_id}:{seq}:{part}".encode()).digest()
        return int.from_bytes(digest[:8], "big") or 1

    def _span(self, name: str, seq: int, parent: int, start: float, end: float) -> Span:
        return Span(name, self._id(seq), parent, start, end, dict(self._about))

    def _close(self, phase: Phase, at: float, outcome: str, error: str) -> list[Span]:
        open_phase = self._open.pop(phase, None)
        if open_phase is None:
            return []
        about: Attributes = {
            **self._about,
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": phase,
            "scenarist.outcome": outcome,
        }
        span = Span(
            f"invoke_agent {phase}", open_phase.id, self._id(_ROOT), open_phase.start, at, about, error
        )
        return [*self._end_turn(open_phase), span]

    def _end_turn(self, open_phase: _OpenPhase) -> list[Span]:
        turn, open_phase.turn = open_phase.turn, None
        if turn is None:
            return []
        about: Attributes = {"gen_ai.conversation.id": self.run_id, "scenarist.turn": turn.number}
        return [Span(f"turn {turn.number}", turn.id, open_phase.id, turn.start, turn.end, about)]

    def _phase_of(self, wanted: Phase) -> _OpenPhase | None:
        """Return the open phase `wanted`, or else the one that was opened last."""
        found = list(self._open.values())
        return self._open.get(wanted) or (found[-1] if found else None)

    def _replied(self, replied: ModelReplied, seq: int, at: float) -> list[Span]:
        open_phase = self._phase_of(_PHASES.get(replied.phase, "implement"))
        ended = self._end_turn(open_phase) if open_phase else []
        start, parent = at - replied.seconds, self._id(_ROOT)
        if open_phase is not None:
            self._turns += 1
            open_phase.turn = _Turn(self._id(seq, "turn"), self._turns, start, at)
            parent = open_phase.turn.id
        reply, usage = replied.reply, replied.reply.usage
        about: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": replied.runtime or "unknown",
            "gen_ai.request.model": reply.model,
            "gen_ai.response.model": reply.model,
            "gen_ai.conversation.id": self.run_id,
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "scenarist.task": replied.phase,
            "scenarist.cost_dollars": replied.cost,
        }
        return [
            *ended,
            Span(f"chat {reply.model}", self._id(seq), parent, start, at, about, asks_model=True),
        ]

    def _called(self, called: ToolCalled, seq: int, at: float) -> list[Span]:
        open_phase = self._phase_of("implement")
        turn = open_phase.turn if open_phase else None
        # The calls of a turn are stored together when it ends: each begins where the one before it ended.
        start = turn.end if turn else at - called.seconds
        end = min(max(at, start), start + called.seconds)
        parent = turn.id if turn else open_phase.id if open_phase else self._id(_ROOT)
        if turn is not None:
            turn.end = end
        about: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": called.call.name[:100],
            "gen_ai.tool.call.id": called.call.id[:100],
            "gen_ai.tool.type": "function",
            "gen_ai.conversation.id": self.run_id,
        }
        error = "denied" if called.denied else "" if called.ok else "failed"
        return [
            Span(f"execute_tool {called.call.name[:100]}", self._id(seq), parent, start, end, about, error)
        ]


# The phase in which a model does a task.
_PHASES: dict[str, Phase] = {
    "specify": "specify",
    "split": "specify",
    "glossary": "specify",
    "examples": "specify",
    "setup": "baseline",
    "review": "verify",
    "critique": "verify",
    "pair": "implement",
    "node": "node",
}


def _moment(text: str) -> float | None:
    """Return a time in ISO 8601 as seconds since the epoch, or None if it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
