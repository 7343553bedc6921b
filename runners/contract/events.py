"""What a runner reports while it works; `bot.log.events` adds the run's life around it."""

from typing import Any, Literal

from pydantic import Field

from gherkin.issue.kinds import Kind
from gherkin.issue.slicing import Slice
from gherkin.values import Frozen
from runners.contract.workorder import ReviewDemand
from runners.models.chat import Reply, ToolCall
from runners.policy.quota import Usage
from runners.verify.findings import Crossed
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
]
PairOutcome = Literal["approved", "objected", "declined", "bounded"]
Criterion = Literal["correctness", "scope", "simplicity", "style", "security"]


class CandidateWork(Frozen):
    """What belongs to the work on a change.

    `candidate` is the number of the candidate whose work it is where several are made side by side; else 0.
    """

    candidate: int = 0


class SpecWritten(Frozen):
    """The feature file is committed and from now on locked by `sha256` (of its bytes, hex).

    `kind` says how the change will be proven; a chore has no feature (`path` is empty). With `shadow` the
    feature and its steps are not part of the change. `findings` is what the linter says of it, `questions`
    what the model would ask the author, and `told` how many of the run's instructions are in it. `applied`
    are the review threads whose suggestions are part of the commit, `demands` what a review asks for that the
    scenarios did not say before.
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

    `failing` are the first of its failing tests; `problem` is why it says nothing, if so.
    """

    name: str
    counts: Counts
    seconds: float
    failing: tuple[str, ...] = ()
    problem: str = ""


class BaselineReached(Frozen):
    """The environment is ready and the suites were run on the commit `base`, before anything was changed.

    `environment_s` is how many seconds it took to have the environment; the outcomes of all tests are in an
    artifact. `setup` are the commands of a model that made it, where the repository's own files did not.
    `notes` say what could not be installed.
    """

    type: Literal["BaselineReached"] = "BaselineReached"
    base: str
    environment_s: float
    suites: tuple[BaseSuite, ...] = ()
    setup: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Surveyed(Frozen):
    """A repository was looked at: its environment was made and its suites were run on the commit `base`.

    `seen` says in sentences what was found. `problem` says why its tests cannot be run, if they cannot, and
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
    """The issue is too large for one change; these could be done instead."""

    type: Literal["SplitProposed"] = "SplitProposed"
    stories: tuple[Slice, ...]


class PromptSent(CandidateWork):
    """A message that was put to the model outside of replies and tool results."""

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
    """From now on the runtime `to` does the work of `role`."""

    type: Literal["ModelSwitched"] = "ModelSwitched"
    role: Literal["driver"]
    to: str
    reason: str


class Condensed(CandidateWork):
    """Everything older than the newest `kept` messages was shortened, in the way that `step` names, because
    the context was full.

    `tokens` is how long the conversation was taken to be. `summary` is the model's own summary of the
    removed part; without one, `problem` says why a list of the calls replaces it.
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
    # The operator's node whose agent made the call; empty: the driver made it.
    node: str = ""


class Committed(CandidateWork):
    """The work in hand was committed on the run's branch.

    `audit` is the hash of the audit trail's newest entry. `answers` are by the ids of review threads, 0 being
    the review's own text; what the `declined` ones ask was not done. `form` is what the model wrote for the
    sections of the project's template for pull requests, by heading. `learned` are lines for the repository's
    memory and `outdated` those that a review contradicts; with `remembered` the commit changes it so.
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


class CandidateBegun(CandidateWork):
    """The scenarios are implemented once more from the start, as candidate `number` (from 2), by `runtime`.

    `reason` says why.
    """

    type: Literal["CandidateBegun"] = "CandidateBegun"
    number: int
    runtime: str
    reason: str


class CandidateEnded(CandidateWork):
    """The candidate `number` (from 1) is finished; its work is an artifact.

    `runtimes` are those that answered, and `status` is that of its last verdict (``none``: there is none).
    `noticed` of `tried` faults in its lines were noticed, `lines` is how many lines it adds and removes, and
    `cost` is in US dollars.
    """

    type: Literal["CandidateEnded"] = "CandidateEnded"
    number: int
    runtimes: tuple[str, ...]
    status: Literal["green", "warning", "red", "none"]
    head: str = ""
    proof: str = ""
    problems: int = 0
    noticed: int = 0
    tried: int = 0
    lines: int = 0
    turns: int = 0
    tokens: int = 0
    cost: float = 0.0


class CandidateStep(CandidateWork):
    """A candidate that is made side by side with others has implemented or verified; the fields are those of
    a phase's end."""

    type: Literal["CandidateStep"] = "CandidateStep"
    phase: Literal["implement", "verify"]
    outcome: str
    reason: str = ""

    @property
    def goes_on(self) -> bool:
        """Return whether the candidate is not finished."""
        outcomes = {"implement": ("done",), "verify": ("red", "critique")}
        return self.outcome in outcomes[self.phase]


class CandidateChosen(Frozen):
    """Candidate `number` is the run's result, for this `reason`; `crossed` are the cross-tests behind it."""

    type: Literal["CandidateChosen"] = "CandidateChosen"
    number: int
    reason: str
    crossed: tuple[Crossed, ...] = ()


class NodeReported(Frozen):
    """An operator's node, or the branch `node` of the parallel node `within`, has run on `head`.

    ``red`` is something to fix: `text` says what, with the `findings` of an agent. `data` are the further
    properties of its answer. `exit_code` is that of a command, None of an agent, and `seconds` is wall time.
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
    """What a reviewing model says of a place; `line` counts from 1 on the head, 0: none in particular."""

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


class Score(Frozen):
    """What a critique gives a change for one criterion, from 0 (unacceptable) to 4 (nothing to improve).

    `path` and `line` say where the `reason` is seen; line 0: nowhere in particular.
    """

    criterion: Criterion
    score: int = Field(ge=0, le=4)
    reason: str
    path: str = ""
    line: int = 0


class Critiqued(CandidateWork):
    """A model that had no part in the proven change at `head` has scored it, or `problem` says why not."""

    type: Literal["Critiqued"] = "Critiqued"
    head: str
    runtime: str = ""
    model: str = ""
    scores: tuple[Score, ...] = ()
    problem: str = ""


class RevisionJudged(CandidateWork):
    """The gate compared a critiqued change with its revision: `taken` is the one that stands.

    `reason` is the end of a sentence that begins with "because". `revision` is the commit of the revision,
    empty if there is none.
    """

    type: Literal["RevisionJudged"] = "RevisionJudged"
    taken: Literal["first", "revision"]
    reason: str
    revision: str = ""


class PairTurn(CandidateWork):
    """The pair's step `number` (from 1 in each candidate): what the runtime `driver` is to do next.

    The runtime `navigator` chose it: a `test` (the file `path` with its `content`, which was run and failed),
    a failing `scenario`, or an objection to the change. With `problem` its answer was of no use, and the next
    failing scenario was taken; ``rest`` stands for all that fail when the pair has taken its steps.
    """

    type: Literal["PairTurn"] = "PairTurn"
    number: int
    driver: str
    navigator: str
    step: Literal["test", "scenario", "object", "rest"]
    scenario: str = ""
    path: str = ""
    content: str = ""
    reason: str = ""
    problem: str = ""


class PairTurnEnded(CandidateWork):
    """The pair's step `number` was run again and is green, or the driver declined the navigator's test."""

    type: Literal["PairTurnEnded"] = "PairTurnEnded"
    number: int
    outcome: Literal["green", "declined"]


class PairEnded(CandidateWork):
    """The pair's work on a candidate ended; `by` is the runtime that ended it, with its `reason`.

    ``objected`` and ``declined`` are disagreements: another candidate is made with the roles swapped.
    ``bounded`` means that a limit ended it.
    """

    type: Literal["PairEnded"] = "PairEnded"
    outcome: PairOutcome
    by: str
    reason: str


RunnerEvent = (
    SpecWritten
    | BaselineReached
    | Surveyed
    | SplitProposed
    | PromptSent
    | Instructed
    | ModelReplied
    | ModelSwitched
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
