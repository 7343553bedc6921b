"""What a phase is given and what it gives back: plain values, so that it can run on another machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from gherkin.values import Frozen
from runners.contract.budget import Budget, Spent
from runners.contract.events import RunnerEvent, SpecWritten
from runners.contract.operator_limits import Runner, ScopedQuotas, TeamMode
from runners.contract.workorder import WorkOrder
from runners.git.workspaces import SHADOW
from runners.policy.capabilities import Grants
from runners.policy.protected import PROTECTED
from runners.verify.claim import Claim, MutationSettings
from runners.verify.diff import DiffLimits
from runners.verify.suites.foreign import TestSuite

WORK = "work.bundle"
CHECKPOINT = "checkpoint.bundle"
BASE = "base.bundle"
# The files of the base commit's submodules, and of Git LFS.
OUTSIDE = "outside.tar"
FEATURE = "feature"
# The text of a `.scenarist.yml` that was made by looking at a repository.
CONFIGURATION = "scenarist.yml"
# The diff of work that was not published, for people.
PATCH = "patch"
# The diff of the work that is verified, for the run's page.
DIFF = "diff"
# The work of one candidate, and its diff; `{}` is the candidate's number.
CANDIDATE_WORK = "candidate-{}.bundle"
CANDIDATE_DIFF = "candidate-{}.diff"
# A proven change before its author revised it, and its diff.
FIRST_WORK = "first.bundle"
FIRST_DIFF = "first.diff"
# Further examples of the scenarios, which the model that implements never sees.
EXAMPLES = "examples"


def log_name(sha256: str) -> str:
    """Return the name of the artifact that holds the log of a verdict's command; `sha256` is its hash in
    hex.
    """
    return f"log-{sha256}"


class ToolSettings(Grants):
    """What the model that implements may call; `docs/policy.md` lists the capabilities."""

    role: Literal["edit", "full"] = Field(
        default="edit", description="`edit`: few tools, better for small models; `full`: every tool."
    )


class CiSettings(Frozen):
    """What happens when the repository's own CI ends on a commit of the bot."""

    repairs: int = Field(
        default=2,
        ge=0,
        le=5,
        description="How many repairs in a row a failed CI starts before a person has to act; 0: none.",
    )
    ready: bool = Field(
        default=True, description="Whether a green CI marks the bot's draft as ready for review."
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="CI jobs (globs of names) whose failures do not start a repair."
    )


class LabelSettings(Frozen):
    """Labels on issues and pull requests."""

    state: bool = Field(
        default=True,
        description="Whether a label shows the state of the newest run: `agent:working`, `agent:waiting`, "
        "`agent:failed` or `agent:ready`. If somebody removes it, it is not set again.",
    )
    pick_up: Literal["remove", "keep"] = Field(
        default="remove",
        description="Whether the label that starts a run is removed when the run begins, so that setting "
        "it again starts another run.",
    )


class CandidateSettings(Frozen):
    """Attempts to implement the same scenarios, each from the start and each by a driver of its own."""

    count: int = Field(
        default=1,
        ge=1,
        le=5,
        description="How many candidates a run may have, within the operator's limit.",
    )
    when: Literal["red", "always"] = Field(
        default="red",
        description="`red`: the next candidate begins only if the one before could not be proven, and the "
        "first proven one is chosen. `always`: all of them are made, and their results decide.",
    )


class RunSettings(Frozen):
    """What a repository may set for its runs; each has a default that works."""

    features: Literal["auto", "commit", "shadow"] = Field(
        default="auto",
        description="Whether scenarios and steps are part of the pull request (`commit`), or run beside a "
        "change that brings tests in the repository's own style (`shadow`); `auto`: commit where the "
        "repository has features already.",
    )
    features_folder: str = Field(
        default="features",
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
        description="Folder of the behave features, relative to the repository.",
    )
    setup: tuple[str, ...] = Field(
        default=(),
        description="Commands that install dependencies into the virtual environment /env/venv, which is "
        "active; only they may reach package registries. Empty: they are derived from the repository's "
        "files ([environments.md](environments.md)).",
    )
    env: dict[str, str] = Field(
        default={},
        description="Environment variables for tests and all other commands, such as "
        "`DJANGO_SETTINGS_MODULE`. Do not put secrets here: everybody can read them.",
    )
    behave: str = Field(
        default="",
        pattern=r"^(python3? \S.* behave.*)?$",
        description="The command that runs behave if `python -m behave` is not enough, such as `python "
        "manage.py behave`. Not set: found automatically if behave-django is a dependency.",
    )
    services: tuple[Literal["postgres", "redis"], ...] | None = Field(
        default=None,
        description="Services that are started, empty, for each run of a suite: PostgreSQL on "
        "127.0.0.1:5432 (account and password `postgres`; `DATABASE_URL`, `PGHOST`, … are set), Redis on "
        "127.0.0.1:6379 (`REDIS_URL`). Not set: those that the CI or a compose file starts, if they are "
        "installed on this machine.",
    )
    commands: tuple[str, ...] = Field(
        default=(), description="The repository's own checks; each must exit with 0 after the change."
    )
    tests: tuple[
        Annotated[
            Literal["pytest", "unittest", "jest", "vitest", "go", "cargo", "cucumber-js"] | TestSuite,
            Field(union_mode="left_to_right"),
        ],
        ...,
    ] = Field(
        default=(),
        description="The repository's own tests: names of known tools, or `{name, command, format}`; "
        "empty: they are found in the repository's files. behave also runs if there are features.",
    )
    edited: dict[str, str] | None = Field(
        default=None,
        description="Commands (by glob of the path, with `{path}` in it) that are run on a file as soon as "
        "a model has changed it; if one fails, its output goes to the model. Not set: `ruff check` if "
        "pyproject.toml configures ruff.",
    )
    protected: tuple[str, ...] = Field(
        default=(), description="More paths (globs) that a run must not change."
    )
    changed_tests: Literal["report", "fail"] = Field(
        default="report",
        description="What happens if a change edits an existing test whose old version fails with the "
        "change: the pull request names it (`report`), or the verdict is red (`fail`).",
    )
    diff: DiffLimits = DiffLimits()
    mutation: MutationSettings = MutationSettings()
    ci: CiSettings = CiSettings()
    unfinished: Literal["draft", "patch"] = Field(
        default="draft",
        description="Where work goes that was not proven: into a draft pull request, which starts the CI, "
        "or a patch. Work that touches what is protected or how tests are run is always a patch.",
    )
    auto_rebase: bool = Field(
        default=False,
        description="Whether the bot's open pull requests are brought up to date whenever their target "
        "branch moves; `/agent rebase` does it once.",
    )
    rebase_by: Literal["merge", "rebase"] = Field(
        default="merge",
        description="How a pull request is brought up to date: by a merge of the target branch, or by a "
        "rebase onto it. With conflicts, or merges in the branch, it is always a merge.",
    )
    labels: LabelSettings = LabelSettings()
    draft: Literal["warnings", "always", "never"] = Field(
        default="warnings",
        description="When a proven change is opened as a draft: if the verdict has warnings, always, or "
        "never. `/agent ready` and, with `ci.ready`, a green CI mark it as ready for review.",
    )
    approval: Literal["none", "required"] = Field(
        default="none",
        description="Whether somebody must approve a model's scenarios before code is written.",
    )
    ai_policy: Literal["obey", "ignore"] = Field(
        default="obey",
        description="What happens if `AI_POLICY`, `CONTRIBUTING` or the template for pull requests forbids "
        "changes by unsupervised tools. `obey`: no run begins, and a comment says why; `ignore`: runs "
        "begin anyway.",
    )
    min_story_score: int = Field(
        default=35,
        ge=0,
        le=100,
        description=(
            "The lowest score that the coach must give to an issue without scenarios; below it the bot "
            "asks before it begins. 0: it never asks."
        ),
    )
    max_scenarios: int = Field(
        default=8, ge=1, le=50, description="The most scenarios that a model may write for an issue."
    )
    held_out: int = Field(
        default=2,
        ge=0,
        le=3,
        description="Further examples of each scenario, written by a model and never shown to the model "
        "that implements; 0: none.",
    )
    budget: Budget = Budget()
    candidates: CandidateSettings = CandidateSettings()
    runner: Runner | None = Field(
        default=None,
        description="Where runs are done, if the operator offers more than one place (`runners` in the "
        "limits file). Not set: where the operator does all runs.",
    )
    mode: TeamMode = Field(
        default="solo",
        description="Who works on a change, within the modes that the operator allows. `solo`: one driver. "
        "`pair`: a navigator of another model says what comes next, as a failing test or scenario. "
        "`council`: all candidates are made, at least two ([pairing.md](pairing.md)).",
    )
    critique: bool = Field(
        default=False,
        description="Whether a model that had no part in a proven change scores it by a rubric "
        "([critique.md](critique.md)). The author revises the change once where a score is low, and the gate "
        "decides whether the revision is taken.",
    )
    tools: ToolSettings = ToolSettings()
    quotas: ScopedQuotas = ScopedQuotas()


def claim_of(
    settings: RunSettings, *, base: str, head: str, feature: str, feature_sha256: str, **more: Any
) -> Claim:
    """Return the claim on a change in a repository with these `settings`; `more` are further fields of it."""
    return Claim(
        base=base,
        head=head,
        feature=feature,
        feature_sha256=feature_sha256,
        commands=settings.commands,
        protected=(*PROTECTED, *settings.protected),
        changed_tests=settings.changed_tests,
        diff=settings.diff,
        mutation=settings.mutation,
        **more,
    )


@dataclass(frozen=True)
class Job:
    """One phase of one run. `events` are those events of the run's log that runners wrote."""

    run_id: str
    forge: str
    repo: str
    order: WorkOrder
    base: str
    settings: RunSettings
    events: tuple[RunnerEvent, ...]
    spent: Spent
    # The files of a branch brought up to date that hold conflict markers.
    conflicts: tuple[str, ...] = ()
    # The commit that a pull request was at when its revision began.
    before: str = ""
    # The operator's node that is to be done.
    node: str = ""
    # Names the worktrees and references of a candidate that is made side by side with others.
    place: str = ""

    @property
    def work_id(self) -> str:
        """Return the name of this work's worktrees and references, unique among all present work."""
        return self.place or self.run_id

    @property
    def spec(self) -> SpecWritten:
        """Return the locked specification; it exists only after `specify`."""
        return next(event for event in reversed(self.events) if isinstance(event, SpecWritten))


def scenarios_folder(job: Job) -> str:
    """Return where the run's feature lies, with its steps in a folder below."""
    return SHADOW if job.spec.shadow else job.settings.features_folder


E = TypeVar("E", bound=Frozen, covariant=True)


@dataclass(frozen=True)
class PhaseResult(Generic[E]):
    """How a phase ended, with the events and artifacts to store in one transaction with its end."""

    outcome: Literal[
        "done",
        "approval",
        "needs_info",
        "gave_up",
        "red",
        "critique",
        "respecify",
        "onboard",
        "candidate",
        "chosen",
    ]
    reason: str = ""
    events: Sequence[E] = ()
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
