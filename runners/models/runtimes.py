"""The operator's models and their roles: the file of ``SCENARIST_MODELS_FILE``."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from gherkin.values import Frozen
from gherkin.yamlfile import Source
from runners.models.chat import TokenUsage
from runners.models.mcp_servers import McpServer, ServerName

Mode = Literal["local", "anthropic", "hybrid", "replay"]
ModelRole = Literal["analyst", "driver", "navigator", "reviewer"]

_PER_MILLION = 1_000_000


class Prices(Frozen):
    """Prices of tokens, in US dollars for a million."""

    input: float = Field(
        default=0.0, ge=0, description="US dollars per million prompt tokens that no cache served."
    )
    cached: float = Field(
        default=0.0, ge=0, description="US dollars per million prompt tokens that a cache served."
    )
    output: float = Field(default=0.0, ge=0, description="US dollars per million completion tokens.")

    def cost(self, usage: TokenUsage) -> float:
        """Return the price of one reply in US dollars."""
        fresh = usage.prompt_tokens - usage.cached_tokens
        spent = fresh * self.input + usage.cached_tokens * self.cached + usage.completion_tokens * self.output
        return spent / _PER_MILLION


class RuntimeSpec(Frozen):
    """One model and its server."""

    provider: Literal["vllm", "anthropic", "replay"] = Field(description="The protocol of its server.")
    url: str = Field(default="", description="The server's API; for vllm it ends in /v1.")
    model: str = Field(
        default="", description="The model's name. Empty: the server's first model, or Claude Sonnet."
    )
    key: Source | None = Field(default=None, description="Where the server's key is found.")
    recording: Path | None = Field(default=None, description="The run log that `replay` plays.")
    context_length: int = Field(
        default=0, ge=0, description="The longest context, in tokens; 0: what the server says."
    )
    max_tokens: int = Field(default=8192, ge=16, description="The longest reply, in tokens.")
    temperature: float = Field(default=0.2, ge=0, le=2, description="The sampling temperature, for vllm.")
    idle_seconds: float = Field(
        default=120, gt=0, description="The seconds without data after which a request is given up."
    )
    tools: Literal["auto", "native", "xml"] = Field(
        default="auto", description="How tools are called; auto: as a probe of the server found."
    )
    prices: Prices = Field(default=Prices(), description="The prices of its tokens.")


class AgentSpec(Frozen):
    """The model of a role, and its limits."""

    runtime: str = Field(description="Name of one of the `runtimes`.")
    tools: Literal["edit", "full"] | None = Field(
        default=None,
        description="The largest set of tools of the driver; not set: what the repository chooses.",
    )
    turns: int | None = Field(
        default=None,
        ge=1,
        description=(
            "The most turns of the driver in a run, within the repository's budget; or the most times that "
            "the navigator is asked (4 unless set)."
        ),
    )
    routing: Literal["listed", "measured"] = Field(
        default="listed",
        description="`measured`: the runtime of a run is chosen among `runtime` and `among` by what earlier "
        "runs came to ([routing](models.md#routing-by-results)).",
    )
    among: tuple[str, ...] = Field(
        default=(), description="The runtimes that `routing: measured` chooses from, besides `runtime`."
    )
    least_runs: int = Field(
        default=5, ge=1, le=100, description="In how many runs each of them is tried before results count."
    )
    most_cost: float | None = Field(
        default=None,
        gt=0,
        description="The highest mean cost of the role's work in a run, in US dollars, at which a runtime is "
        "chosen by results.",
    )
    escalate: tuple[str, ...] = Field(
        default=(), description="Runtimes that take over from the first one, in this order."
    )
    candidates: tuple[str, ...] = Field(
        default=(),
        description="The runtimes of the driver's second candidate and the following, in turn; empty: "
        "those of `escalate`, and the driver's own where there are none.",
    )
    after_red: int = Field(
        default=2,
        ge=1,
        description="Red verdicts after which the next runtime takes over, as it does "
        "when the model is stuck.",
    )
    mcp: tuple[str, ...] = Field(
        default=(),
        description="The MCP servers of `mcp` whose tools this role may call.",
    )


class ModelsConfig(Frozen):
    """The operator's models file."""

    runtimes: dict[str, RuntimeSpec] = Field(min_length=1, description="Models by name.")
    agents: dict[ModelRole, AgentSpec] = Field(
        default={},
        description="Roles: `analyst` writes the scenarios, `driver` the code; `navigator`, if there is "
        "one, advises a driver that gets nowhere; `reviewer`, if there is one, reads the proven change.",
    )
    mcp: dict[ServerName, McpServer] = Field(default={}, description="MCP servers by name ([MCP](mcp.md)).")

    @model_validator(mode="after")
    def _known(self) -> "ModelsConfig":
        for role, agent in self.agents.items():
            if (agent.routing == "measured") != bool(agent.among):
                raise ValueError(f"agents.{role} needs both `routing: measured` and `among`, or neither")
            for name in (agent.runtime, *agent.among, *agent.escalate, *agent.candidates):
                if name not in self.runtimes:
                    raise ValueError(
                        f"agents.{role} names the runtime {name}, which is none of {', '.join(self.runtimes)}"
                    )
            for name in agent.mcp:
                if name not in self.mcp:
                    known = ", ".join(self.mcp) or "none"
                    raise ValueError(f"agents.{role} names the MCP server {name}, but `mcp` lists {known}")
        return self

    def agent(self, role: ModelRole, mode: Mode) -> AgentSpec:
        """Return the settings of `role`: those of the file, or else the first runtime that `mode` asks for.

        There is a reviewer if the file names one, and in hybrid mode; a navigator only if the file names one.
        In hybrid mode the strong model writes the scenarios, at which small models are much weaker than at
        fixing code, and it takes over the code when the local model is stuck. Raises `ValueError` if there is
        no such runtime.
        """
        if role in self.agents:
            return self.agents[role]
        if mode == "hybrid":
            local, strong = self._first("vllm"), self._first("anthropic")
            if role in ("analyst", "reviewer"):
                return AgentSpec(runtime=strong)
            return AgentSpec(runtime=local, escalate=(strong,))
        return AgentSpec(runtime=self._first("vllm" if mode == "local" else mode))

    def has(self, role: ModelRole, mode: Mode) -> bool:
        """Return whether a model has `role`; analyst and driver always have one."""
        if role in ("analyst", "driver") or role in self.agents:
            return True
        return role == "reviewer" and mode == "hybrid"

    def _first(self, provider: str) -> str:
        found = next((name for name, spec in self.runtimes.items() if spec.provider == provider), None)
        if found is None:
            raise ValueError(f"no runtime has the provider {provider}")
        return found
