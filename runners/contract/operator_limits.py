"""What the operator of a machine allows runs to do on it, whatever a repository asks for."""

from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, field_validator

from gherkin.values import Frozen
from gherkin.yamlfile import Source
from runners.policy.capabilities import Grants, Pattern
from runners.policy.quota import Quotas

# Where the phases that run repository code are done: by a Celery worker, in a Kubernetes Job, or in
# a job of GitHub Actions.
Runner = Literal["celery", "kubernetes", "actions"]
# How many models work on a change: one, a driver with a navigator, or several candidates.
TeamMode = Literal["solo", "pair", "council"]


class ScopedQuotas(Frozen):
    """Quotas of a run, and of each of its implement phases."""

    run: Quotas = Field(default=Quotas(), description="Bounds of a run.")
    phase: Quotas = Field(default=Quotas(), description="Bounds of one round of implementing.")

    def within(self, other: "ScopedQuotas") -> "ScopedQuotas":
        """Return the smaller value of each bound."""
        return ScopedQuotas(run=self.run.within(other.run), phase=self.phase.within(other.phase))


class Consumed(Protocol):
    """What runs have used."""

    @property
    def runs(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def cost(self) -> float: ...
    @property
    def minutes(self) -> float: ...


class Allowance(Frozen):
    """What runs may use together; what is not set is not limited. A day is the last 24 hours."""

    runs_at_once: int | None = Field(
        default=None, ge=1, description="The most runs that are worked on at the same time."
    )
    runs_a_day: int | None = Field(default=None, ge=0, description="The most runs that begin in a day.")
    tokens_a_day: int | None = Field(
        default=None, ge=0, description="The most tokens in a day, prompts and replies together."
    )
    cost_a_day: float | None = Field(
        default=None, ge=0, description="The highest cost of models in a day, in US dollars."
    )
    minutes_a_day: float | None = Field(
        default=None, ge=0, description="The most minutes of model requests and tool calls in a day."
    )

    def reached(self, used: Consumed) -> str | None:
        """Return the bound that `used` has reached, in words."""
        for limit, value, what in (
            (self.runs_a_day, used.runs, "runs"),
            (self.tokens_a_day, used.tokens, "tokens"),
            (self.cost_a_day, used.cost, "US dollars"),
            (self.minutes_a_day, used.minutes, "minutes"),
        ):
            if limit is not None and value >= limit:
                return f"{limit:,g} {what}"
        return None


class Allowances(Frozen):
    """Allowances of each repository, of each installation of the App, and of all runs."""

    repository: Allowance = Field(default=Allowance(), description="For each repository.")
    installation: Allowance = Field(default=Allowance(), description="For each installation of the App.")
    total: Allowance = Field(default=Allowance(), description="For all runs.")


class OperatorLimits(Frozen):
    """The operator's limits file. Without one, a run may work in its workspace and reach nothing else."""

    allow: tuple[Pattern, ...] = Field(
        default=("files.*", "git.*", "shell.*", "tests.*", "mcp.*"),
        description="Capabilities that a run may have at most; those that reach beyond the workspace "
        "(http, database, docker) must also be granted by the repository.",
    )
    deny: tuple[Pattern, ...] = Field(default=(), description="Capabilities no run may have.")
    protected: tuple[str, ...] = Field(
        default=(), description="Globs of paths that no run may change, whatever its repository grants."
    )
    quotas: ScopedQuotas = Field(
        default=ScopedQuotas(), description="Bounds that a repository's own cannot exceed."
    )
    candidates: int = Field(default=3, ge=1, le=5, description="The most candidates that a run may have.")
    runners: tuple[Runner, ...] = Field(
        default=(),
        description="Where a repository may have its runs done (`runner` in `.scenarist.yml`), besides the "
        "place that SCENARIST_RUNNER names.",
    )
    parallel: int = Field(
        default=1,
        ge=1,
        le=5,
        description="How many candidates of a run are made at the same time on one runner, where all of "
        "them are made; a good number is that of its processor cores.",
    )
    modes: tuple[TeamMode, ...] = Field(
        default=("solo", "pair", "council"),
        description="Which modes a repository may choose; with another one its runs are `solo`.",
    )
    databases: dict[str, Source] = Field(
        default={}, description="Names of databases, and where their connection URLs are found."
    )
    allowances: Allowances = Field(
        default=Allowances(), description="What runs may use at once and in a day."
    )
    container_engine: tuple[str, ...] = Field(
        default=(),
        description=(
            "docker or podman with its global options, such as `[podman, --runtime=runc]`; empty: none."
        ),
    )

    @field_validator("container_engine")
    @classmethod
    def _known(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if words and Path(words[0]).name not in ("docker", "podman"):
            raise ValueError("the first word must be docker or podman")
        return words

    @property
    def grants(self) -> Grants:
        return Grants(allow=self.allow, deny=self.deny)
