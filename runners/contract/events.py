"""What a runner reports while it works; `bot.log.events` adds the run's life around it."""

from typing import Any, Literal

from pydantic import Field

from gherkin.issue.kinds import Kind
from gherkin.issue.slicing import Slice
from gherkin.values import Frozen
from runners.contract.team_events import (
    CandidateBegun,
    CandidateChosen,
    CandidateEnded,
    CandidateStep,
    CandidateWork,
    Critiqued,
    PairEnded,
    PairTurn,
    PairTurnEnded,
    RevisionJudged,
)
from runners.contract.workorder import ReviewDemand
from runners.models.chat import Reply, ToolCall
from runners.models.runtimes import ModelRole
from runners.policy.quota import Usage
from runners.verify.verdict import Counts, Verdict

ModelPhase = Literal[
    "specify",
    "implement",
    "review",
    "condense",
    "navigate",
    "split",
    "glossary",
    "setup",
    "examples",
    "remarks",
    "critique",
    "pair",
    "node",
    "lookup",
]


class SpecWritten(Frozen):
    """The feature file is committed, and locked by `sha256` (of its bytes, in hex) from now on.

    `kind` says how the change will be proven; a chore has no feature (`path` is empty). With `shadow` the
    feature and its steps are not part of the change. `findings` are the linter's remarks on it, `questions`
    what the model would ask the author, and `told` how many of the run's instructions it takes into account.
    `applied` are the review threads whose suggestions are part of the commit, and `demands` what a review
    asks for that the scenarios did not say before.
    """

    type: Literal["SpecWritten"] = "SpecWritten"
    path: str
    sha256: str
    source: Literal["issue", "model"]
    scenarios: tuple[str, ...]
    commit: str
    kind: Kind = "feature"
    shadow: bool = False
    findings: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    told: int = 0
    applied: tuple[int, ...] = ()
    demands: tuple[ReviewDemand, ...] = ()


class BaseSuite(Frozen):
    """One suite on the base commit.

    `failing` are the first of its failing tests. `problem` says why the suite could not be run, and is empty
    otherwise.
    """

    name: str
    counts: Counts
    seconds: float
    failing: tuple[str, ...] = ()
    problem: str = ""


class BaselineReached(Frozen):
    """The environment is ready, and the suites were run on the commit `base` before anything was changed.

    `environment_s` is how many seconds it took to get the environment. The outcomes of all tests are in an
    artifact. `setup` are the commands of a model that made the environment, if the repository's own files
    were not enough. `notes` say what could not be installed.
    """

    type: Literal["BaselineReached"] = "BaselineReached"
    base: str
    environment_s: float
    suites: tuple[BaseSuite, ...] = ()
    setup: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Surveyed(Frozen):
    """A repository was looked at: its environment was made, and its suites were run on the commit `base`.

    `seen` says in sentences what was found. `problem` says why the tests cannot be run, if they cannot, and
    `code` is the code of that error. The `.scenarist.yml` that fits is in an artifact.
    """

    type: Literal["Surveyed"] = "Surveyed"
    base: str
    seconds: float
    suites: tuple[BaseSuite, ...] = ()
    seen: tuple[str, ...] = ()
    problem: str = ""
    code: str = ""


class SplitProposed(Frozen):
    """The issue is too large for one change; these smaller ones are proposed instead."""

    type: Literal["SplitProposed"] = "SplitProposed"
    stories: tuple[Slice, ...]


class PromptSent(CandidateWork):
    """A message to the model that is neither a reply nor the result of a tool."""

    type: Literal["PromptSent"] = "PromptSent"
    reason: Literal[
        "verdict",
        "nudge",
        "switch",
        "comment",
        "review",
        "respecify",
        "survivors",
        "critique",
        "pair",
        "node",
    ]
    text: str


class Instructed(Frozen):
    """Somebody with rights wrote on the issue or pull request during the run; the model reads it before its
    next turn. With `corrects` it is their version of the scenarios in the bot's own comment, which still
    has to be approved.
    """

    type: Literal["Instructed"] = "Instructed"
    comment: int
    by: str
    text: str
    corrects: bool = False


class ModelReplied(CandidateWork):
    """One turn: the model's answer. `seconds` is the wall time of the request.

    `runtime` is the name of the model's runtime and `cost` what the reply cost, in US dollars. Where calls
    had to be found in the answer, or mended, `rescued` is the format they were written in, and `said` the
    text as it came.
    """

    type: Literal["ModelReplied"] = "ModelReplied"
    phase: ModelPhase
    reply: Reply
    seconds: float
    runtime: str = ""
    cost: float = 0.0
    rescued: str = ""
    said: str = ""


class ModelSwitched(CandidateWork):
    """The runtime `to` does the work of `role` from now on."""

    type: Literal["ModelSwitched"] = "ModelSwitched"
    role: Literal["driver"]
    to: str
    reason: str


class ModelRouted(Frozen):
    """`runtime` has `role` in this run, by `routing: measured`; `reason` goes on from "because"."""

    type: Literal["ModelRouted"] = "ModelRouted"
    role: ModelRole
    runtime: str
    reason: str


class Condensed(CandidateWork):
    """The conversation was shortened because the context was full: everything older than the newest `kept`
    messages.

    `step` names the way, and `tokens` is the estimated length of the conversation before. `summary` is the
    model's own summary of the removed part; without one, `problem` says why a list of the calls replaces it.
    """

    type: Literal["Condensed"] = "Condensed"
    step: Literal["results", "digest"]
    kept: int
    tokens: int
    summary: str = ""
    problem: str = ""


class Advised(CandidateWork):
    """What the navigator told the driver, or the `problem` that prevented it."""

    type: Literal["Advised"] = "Advised"
    reason: Literal["stuck", "red"]
    model: str = ""
    text: str = ""
    problem: str = ""


class ToolCalled(CandidateWork):
    """One tool call and its result: an entry of the audit trail (`runners/loop/audit.py`).

    The arguments of `call` are without secrets. `text` is what the model was told, `data` the structured
    part; `seconds` is the wall time of the call. `capability` is what it needed and `denied` whether the
    policy refused it.
    """

    type: Literal["ToolCalled"] = "ToolCalled"
    call: ToolCall
    ok: bool
    text: str
    files_changed: tuple[str, ...] = ()
    seconds: float
    role: str = ""
    capability: str = ""
    denied: bool = False
    data: dict[str, Any] = Field(default_factory=dict)
    usage: Usage = Usage()
    prev: str = ""
    hash: str = ""
    # The operator's node whose agent made the call, or the role that looked something up; empty: the driver.
    node: str = ""


class Committed(CandidateWork):
    """The present work was committed on the run's branch.

    `audit` is the hash of the audit trail's newest entry. `answers` has an answer for each id of a review
    thread (0: the review's own text); what the `declined` ones ask was not done. `form` has what the model
    wrote for the sections of the project's template for pull requests, by heading. `learned` are lines for
    the repository's memory, and `outdated` those that a review contradicts; with `remembered` the commit
    changes the memory accordingly.
    """

    type: Literal["Committed"] = "Committed"
    commit: str
    summary: str
    audit: str = ""
    answers: dict[int, str] = {}
    declined: tuple[int, ...] = ()
    form: dict[str, str] = {}
    learned: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    remembered: bool = False


class VerdictReached(CandidateWork):
    type: Literal["VerdictReached"] = "VerdictReached"
    verdict: Verdict


class NodeReported(Frozen):
    """An operator's node has run on the commit `head`.

    `within` is the parallel node that it is a branch of, if it is one. ``red`` means that something has to be
    fixed: `text` says what, with the `findings` of an agent. `data` are the further properties of the agent's
    answer. `exit_code` is that of a command (None for an agent), and `seconds` is wall time.
    """

    type: Literal["NodeReported"] = "NodeReported"
    node: str
    within: str = ""
    head: str = ""
    outcome: Literal["done", "red"]
    text: str = ""
    findings: tuple["Remark", ...] = ()
    data: dict[str, Any] = {}
    model: str = ""
    exit_code: int | None = None
    seconds: float = 0.0


class Remark(Frozen):
    """A reviewing model's remark on a place; `line` counts from 1 on the head (0: no line in particular)."""

    path: str
    line: int
    text: str
    serious: bool


class Reviewed(CandidateWork):
    """A second model has read a proven change, or `problem` says why it has not."""

    type: Literal["Reviewed"] = "Reviewed"
    head: str
    model: str = ""
    remarks: tuple[Remark, ...] = ()
    problem: str = ""


RunnerEvent = (
    SpecWritten
    | BaselineReached
    | Surveyed
    | SplitProposed
    | PromptSent
    | Instructed
    | ModelReplied
    | ModelSwitched
    | ModelRouted
    | Condensed
    | Advised
    | ToolCalled
    | Committed
    | VerdictReached
    | CandidateBegun
    | CandidateEnded
    | CandidateStep
    | CandidateChosen
    | Reviewed
    | Critiqued
    | RevisionJudged
    | PairTurn
    | PairTurnEnded
    | PairEnded
    | NodeReported
)
