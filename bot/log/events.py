"""The typed events of a run's log: a run's life, around what its runners report."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from gherkin.values import Frozen
from runners.contract.events import RunnerEvent
from runners.contract.job import RunSettings
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
]
# The phases that only a run has which looks at a new repository.
ONBOARDING: frozenset[Phase] = frozenset({"survey", "propose"})
Status = Literal["active", "paused", "done", "needs_info", "gave_up", "failed", "cancelled"]
Control = Literal["pause", "resume", "cancel", "retry", "respecify"]
# A run whose phase ends with this outcome is paused until somebody approves its scenarios.
APPROVAL = "approval"
# phase -> the one that is done at the same time, by the same worker under the same claim. The run goes on
# when both have ended well; the second one is not done again when it has, and is ended when the first says
# that the run does not go on.
BESIDE: Mapping[Phase, Phase] = {"specify": "baseline"}
COMPANIONS: frozenset[Phase] = frozenset(BESIDE.values())
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
    """Somebody with rights asked for a run. `key` is the same for all deliveries of one request.

    With `approval` its scenarios wait until somebody approves them.
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
    """The repository is fetched; `base` is the commit the run starts from.

    `branch` is where its result will be pushed; `head` is the commit that branch has on the forge by now
    (None: it does not exist yet). `conflicts` are the files with conflict markers, where the branch was
    brought up to date.
    """

    type: Literal["Prepared"] = "Prepared"
    base: str
    base_branch: str
    branch: str
    head: str | None
    settings: RunSettings
    conflicts: tuple[str, ...] = ()


class PhaseStarted(Frozen):
    """A worker began a phase. Without `sandboxed` its commands ran unconfined, as its operator allowed."""

    type: Literal["PhaseStarted"] = "PhaseStarted"
    phase: Phase
    worker: str
    sandboxed: bool = True


class PhaseFinished(Frozen):
    """A phase ended; `reason` and `code` say why when it did not end well."""

    type: Literal["PhaseFinished"] = "PhaseFinished"
    phase: Phase
    outcome: str
    reason: str = ""
    code: str = ""


class PhaseDelayed(Frozen):
    """A phase met trouble that may pass; it is tried again after `seconds`."""

    type: Literal["PhaseDelayed"] = "PhaseDelayed"
    phase: Phase
    code: str
    reason: str
    seconds: float


class Controlled(Frozen):
    """Somebody (or something that happened on the forge) paused, resumed, cancelled or retried the run.

    ``respecify`` sends scenarios that wait for an approval back to be written anew.
    """

    type: Literal["Controlled"] = "Controlled"
    control: Control
    by: str
    reason: str = ""
    phase: Phase | None = None


class Adjusted(Frozen):
    """Somebody changed how many turns the run may take in all, or the runtime of its driver (empty: no
    change)."""

    type: Literal["Adjusted"] = "Adjusted"
    by: str
    turns: int | None = None
    model: str = ""


class StatusPosted(Frozen):
    """The status comment exists on the forge."""

    type: Literal["StatusPosted"] = "StatusPosted"
    comment: int


class Asked(Frozen):
    """A comment of its own asks somebody for an answer or an approval.

    `key` says which of the run's questions it is.
    """

    type: Literal["Asked"] = "Asked"
    comment: int
    key: str


class Published(Frozen):
    """The verified commit is pushed and its pull request open."""

    type: Literal["Published"] = "Published"
    commit: str
    pull: int
    url: str


class WorkLeft(Frozen):
    """What became of work that was not proven.

    It is at `commit`, in the draft pull request `pull`, or only a patch, for the `reason` given.
    """

    type: Literal["WorkLeft"] = "WorkLeft"
    commit: str
    pull: int | None = None
    url: str = ""
    reason: str = ""


class RunEnded(Frozen):
    # Older versions stored a reason and a code as well, which nothing set.
    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["RunEnded"] = "RunEnded"
    status: Status


Event = Annotated[
    RunRequested
    | Prepared
    | PhaseStarted
    | PhaseFinished
    | PhaseDelayed
    | Controlled
    | Adjusted
    | RunnerEvent
    | StatusPosted
    | Asked
    | Published
    | WorkLeft
    | RunEnded,
    Field(discriminator="type"),
]

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)


class Entry(Frozen):
    """One line of a run's log: `seq` counts from 1, `at` is UTC in ISO 8601."""

    seq: int
    at: str
    event: Event
