"""What a runner reports while it works; `bot.runs.events` adds the run's life around it."""

from typing import Literal

from runners.models.chat import Frozen, Reply, ToolCall
from runners.verify.verdict import Verdict


class SpecWritten(Frozen):
    """The feature file is committed and from now on locked by `sha256` (of its bytes, hex)."""

    type: Literal["SpecWritten"] = "SpecWritten"
    path: str
    sha256: str
    source: Literal["issue", "model"]
    scenarios: tuple[str, ...]
    commit: str


class PromptSent(Frozen):
    """A message that was put to the model outside of replies and tool results."""

    type: Literal["PromptSent"] = "PromptSent"
    reason: Literal["verdict", "nudge"]
    text: str


class ModelReplied(Frozen):
    """One turn: the model's answer, as it came. `seconds` is the wall time of the request."""

    type: Literal["ModelReplied"] = "ModelReplied"
    phase: Literal["specify", "implement"]
    reply: Reply
    seconds: float


class ToolCalled(Frozen):
    """One tool call and its result; `seconds` is the wall time of the call."""

    type: Literal["ToolCalled"] = "ToolCalled"
    call: ToolCall
    ok: bool
    text: str
    files_changed: tuple[str, ...] = ()
    seconds: float


class Committed(Frozen):
    """The work in hand was committed on the run's branch."""

    type: Literal["Committed"] = "Committed"
    commit: str
    summary: str
    answers: dict[int, str] = {}


class VerdictReached(Frozen):
    type: Literal["VerdictReached"] = "VerdictReached"
    verdict: Verdict


RunnerEvent = SpecWritten | PromptSent | ModelReplied | ToolCalled | Committed | VerdictReached
