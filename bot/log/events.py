"""The typed events of a run's log: those of the bot and those that runners report."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from gherkin.values import Frozen
from runners.contract.events import RunnerEvent
from runners.contract.job import RunSettings
from runners.contract.operator_limits import Runner
from runners.contract.workorder import WorkOrder

Phase = Literal[
    "prepare",
    "specify",
    "baseline",
    "implement",
    "verify",
    "publish",
    "survey",
    "propose",
    "conclude",
    "node",
]
# The phases that only a run has which looks at a new repository.
ONBOARDING: frozenset[Phase] = frozenset({"survey", "propose"})
Status = Literal["active", "paused", "done", "needs_info", "gave_up", "failed", "cancelled"]
# What became of a pull request; ``edited`` is one that was merged after others had changed it.
Became = Literal["open", "merged", "edited", "closed", "reverted"]
Control = Literal["pause", "resume", "cancel", "retry", "respecify"]
# A run whose phase ends with this outcome is paused until somebody approves its scenarios.
APPROVAL = "approval"
# The reason of a revision's end whose work the next revision does, too.
JOINED = "Another review arrived at the same time; one revision does what both ask."
# phase -> its companion, which the same worker does at the same time under the same claim. The run continues
# when both have ended well. A companion that has ended well is not repeated, and a companion that is still
# working is stopped when the first phase ends the run.
BESIDE: Mapping[Phase, Phase] = {"specify": "baseline"}
COMPANIONS: frozenset[Phase] = frozenset(BESIDE.values())
# The phases that run repository code. They are done where the run's `runner` says.
RUNNER_PHASES: frozenset[Phase] = frozenset(["specify", "baseline", "implement", "verify", "survey", "node"])
PHASES_TO_RETRY: tuple[Phase, ...] = (
    "prepare",
    "specify",
    "implement",
    "verify",
    "publish",
    "survey",
    "propose",
)


class RunRequested(Frozen):
    """A person with rights requested a run. `key` is the same for all deliveries of one request.

    With `approval` the run pauses until a person approves its scenarios.
    """

    type: Literal["RunRequested"] = "RunRequested"
    forge: str
    repo: str
    installation: int = 0
    order: WorkOrder
    order_sha256: str
    key: str = ""
    approval: bool = False


class Prepared(Frozen):
    """The repository was fetched; `base` is the commit the run starts from.

    The result will be pushed to `branch`; `head` is the commit that this branch has on the forge (None: it
    does not exist yet). `conflicts` are the files with conflict markers, if the branch was updated. `runner`
    says where the phases that run repository code are done.
    """

    type: Literal["Prepared"] = "Prepared"
    base: str
    base_branch: str
    branch: str
    head: str | None
    settings: RunSettings
    conflicts: tuple[str, ...] = ()
    runner: Runner = "celery"


class NodeEntered(Frozen):
    """The run continues with the operator's `node`, in the phase ``node``."""

    type: Literal["NodeEntered"] = "NodeEntered"
    node: str


class PhaseStarted(Frozen):
    """A worker at `runner` began a phase; in the phase ``node`` that is the operator's `node`.

    Without `sandboxed` its commands ran unconfined there, as its operator allowed.
    """

    type: Literal["PhaseStarted"] = "PhaseStarted"
    phase: Phase
    worker: str
    sandboxed: bool = True
    runner: Runner = "celery"
    node: str = ""


class PhaseFinished(Frozen):
    """A phase ended. If it did not end well, `reason` and `code` say why.

    In the phase ``node`` it is that of the operator's `node`. Its own work had ended `waited_s` seconds
    before, when it began to wait for its companion.
    """

    type: Literal["PhaseFinished"] = "PhaseFinished"
    phase: Phase
    outcome: str
    reason: str = ""
    code: str = ""
    waited_s: float = 0.0
    node: str = ""

    @property
    def node_or_phase(self) -> str:
        """Return what ended, as the graph names it."""
        return self.node or self.phase


class PhaseDelayed(Frozen):
    """A phase failed with a temporary error; it is repeated after `seconds`."""

    type: Literal["PhaseDelayed"] = "PhaseDelayed"
    phase: Phase
    code: str
    reason: str
    seconds: float


class Controlled(Frozen):
    """A person, or an event of the forge, paused, resumed, cancelled or retried the run.

    ``respecify`` means that scenarios which wait for an approval are written again. `cause` is the command of
    a comment that asked for it (its delivery and its place there); a command is carried out once.
    """

    type: Literal["Controlled"] = "Controlled"
    control: Control
    by: str
    reason: str = ""
    phase: Phase | None = None
    cause: str = ""


class Adjusted(Frozen):
    """Somebody changed how many turns the run may take in all, or the runtime of its driver (empty: no
    change). `cause` is as in `Controlled`."""

    type: Literal["Adjusted"] = "Adjusted"
    by: str
    turns: int | None = None
    model: str = ""
    cause: str = ""


class StatusPosted(Frozen):
    """The status comment exists on the forge."""

    type: Literal["StatusPosted"] = "StatusPosted"
    comment: int


class Labelled(Frozen):
    """The label with the run's state was set; empty: it was removed."""

    type: Literal["Labelled"] = "Labelled"
    label: str


class Asked(Frozen):
    """The bot asked for an answer or an approval in a separate comment.

    `key` says which of the run's questions it is.
    """

    type: Literal["Asked"] = "Asked"
    comment: int
    key: str


class Published(Frozen):
    """The verified commit was pushed and its pull request is open."""

    type: Literal["Published"] = "Published"
    commit: str
    pull: int
    url: str


class PullEnded(Frozen):
    """How the run's pull request ended on the forge; `by` is the login of the person who ended it.

    ``edited`` means merged after `edits` commits of others, ``open`` that it was opened again. `commit` is
    the merge's commit on the base branch, or the one that reverts it.
    """

    type: Literal["PullEnded"] = "PullEnded"
    pull: int
    became: Became
    by: str = ""
    commit: str = ""
    edits: int = 0


class WorkLeft(Frozen):
    """Unproven work was kept: at `commit`, in the draft pull request `pull`, or only as a patch.

    `reason` says why it is only a patch.
    """

    type: Literal["WorkLeft"] = "WorkLeft"
    commit: str
    pull: int | None = None
    url: str = ""
    reason: str = ""


class Superseded(Frozen):
    """After this run had ended without a result, another one (`run`) began on the same target."""

    type: Literal["Superseded"] = "Superseded"
    run: str


class RunEnded(Frozen):
    # Older versions also stored a reason and a code, which were always empty.
    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["RunEnded"] = "RunEnded"
    status: Status


Event = Annotated[
    RunRequested
    | Prepared
    | NodeEntered
    | PhaseStarted
    | PhaseFinished
    | PhaseDelayed
    | Controlled
    | Adjusted
    | RunnerEvent
    | StatusPosted
    | Labelled
    | Asked
    | Published
    | PullEnded
    | WorkLeft
    | Superseded
    | RunEnded,
    Field(discriminator="type"),
]

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)


class Entry(Frozen):
    """One line of a run's log: `seq` counts from 1, `at` is UTC in ISO 8601."""

    seq: int
    at: str
    event: Event
