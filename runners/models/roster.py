"""The models of this machine. Each client is made when it is first needed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gherkin.errors import ScenaristError
from runners.models.chat import ChatModel, ModelUnavailable
from runners.models.probe import Profile, probe, remembered
from runners.models.runtimes import AgentSpec, Mode, ModelRole, ModelsConfig, Prices, RuntimeSpec
from runners.models.xml import XmlTools
from runners.policy.plaintext import one_line

CLAUDE = "claude-sonnet-5-5"
_CLAUDE_CONTEXT = 200_000


class RuntimeIncomplete(ScenaristError):
    """The chosen runtime lacks a setting."""

    code = "SCN-4005"
    next_step = "Set it in the environment of the runner; `docs/models.md` lists what each runtime needs."


class RuntimeUnknown(ScenaristError):
    """Somebody chose a model that the operator's models file does not have."""

    code = "SCN-4101"
    next_step = "Comment `/agent model NAME` with one of those, then `/agent retry implement`."


@dataclass(frozen=True)
class Engine:
    """A model that is ready for requests.

    `context_length` is in tokens, 0 if unknown; `max_tokens` bounds a reply.
    """

    runtime: str
    model: ChatModel
    prices: Prices = field(default_factory=Prices)
    context_length: int = 0
    max_tokens: int = 8192
    profile: Profile | None = None

    @property
    def native(self) -> ChatModel:
        """Return the model without the wrapper that writes tools as XML."""
        return self.model.plain if isinstance(self.model, XmlTools) else self.model


class Roster:
    """Which model has which role.

    `keys` maps runtimes to their servers' keys; profiles of deployments are stored below `profiles`.
    """

    def __init__(self, config: ModelsConfig, mode: Mode, keys: Mapping[str, str], profiles: Path) -> None:
        self._config = config
        self._mode = mode
        self._keys = keys
        self._profiles = profiles
        self._engines: dict[str, tuple[str, Engine]] = {}

    def led_by(self, runtime: str) -> "Roster":
        """Return the roster with another driver, which nobody takes over from. Raises `RuntimeUnknown`."""
        if runtime not in self._config.runtimes:
            known = ", ".join(self._config.runtimes)
            raise RuntimeUnknown(f"There is no runtime {one_line(runtime, 100)} here; there are: {known}.")
        driver = self.agent("driver").model_copy(
            update={"runtime": runtime, "escalate": (), "candidates": (), "routing": "listed"}
        )
        return self._with({**self._config.agents, "driver": driver})

    @property
    def measured(self) -> frozenset[ModelRole]:
        """Return the roles whose model is chosen by routing."""
        return frozenset(role for role, agent in self._config.agents.items() if agent.routing == "measured")

    @property
    def runtimes(self) -> Mapping[str, RuntimeSpec]:
        """Return all runtimes by name."""
        return self._config.runtimes

    def routed(self, chosen: Mapping[ModelRole, str]) -> "Roster":
        """Return the roster with these runtimes for roles that are routed.

        A runtime that the models file does not have any more is left out. The others of the list make a
        driver's further candidates where the file names none.
        """
        agents = dict(self._config.agents)
        for role, runtime in chosen.items():
            agent = agents.get(role)
            if agent is None or agent.routing != "measured" or runtime not in self._config.runtimes:
                continue
            escalate, others = (
                tuple(each for each in names if each != runtime)
                for names in (agent.escalate, agent.candidates or (agent.runtime, *agent.among))
            )
            changed = {"runtime": runtime, "escalate": escalate, "candidates": others}
            agents[role] = agent.model_copy(update=changed)
        return self._with(agents)

    def _with(self, agents: Mapping[ModelRole, AgentSpec]) -> "Roster":
        config = self._config.model_copy(update={"agents": dict(agents)})
        other = Roster(config, self._mode, self._keys, self._profiles)
        other._engines = self._engines
        return other

    def agent(self, role: ModelRole) -> AgentSpec:
        """Return the settings of `role`. Raises `RuntimeIncomplete`."""
        try:
            return self._config.agent(role, self._mode)
        except ValueError as error:
            raise RuntimeIncomplete(f"The {role} has no model in {self._mode} mode: {error}.") from None

    def has(self, role: ModelRole) -> bool:
        """Return whether a model has `role`."""
        return self._config.has(role, self._mode)

    def runtime_of(self, role: ModelRole) -> str:
        """Return the runtime that has `role` at first; empty if none has it."""
        return self.agent(role).runtime if self.has(role) else ""

    def levels(self, role: ModelRole) -> tuple[str, ...]:
        """Return the runtimes of `role`: the first, then those that take over, in this order."""
        agent = self.agent(role)
        return (agent.runtime, *agent.escalate)

    def candidate(self, number: int) -> tuple[str, ...]:
        """Return the runtimes of the driver's candidate `number` (from 1): the first, then those that take
        over."""
        if number == 1:
            return self.levels("driver")
        agent = self.agent("driver")
        others = agent.candidates or agent.escalate or (agent.runtime,)
        return (others[(number - 2) % len(others)],)

    def differ(self, one: str, other: str) -> bool:
        """Return whether `one` and `other` are runtimes of different models; an empty name is no runtime."""
        runtimes = self._config.runtimes
        return bool(one and other) and _model_of(runtimes[one]) != _model_of(runtimes[other])

    def peer(self, authors: Collection[str]) -> str | None:
        """Return a runtime whose model has none of the runtimes `authors`; None if there is none.

        The reviewer's comes first, then the navigator's, then those that may do the driver's work.
        """
        runtimes = self._config.runtimes
        known = {_model_of(runtimes[name]) for name in authors if name in runtimes}
        roles: tuple[ModelRole, ...] = ("reviewer", "navigator", "driver", "analyst")
        agents = [self.agent(role) for role in roles if self.has(role)]
        names = [name for each in agents for name in (each.runtime, *each.candidates, *each.escalate)]
        return next((name for name in names if _model_of(runtimes[name]) not in known), None)

    def engine(self, role: ModelRole, level: int = 0) -> Engine:
        """Return the model of `role` after `level` escalations. Raises the errors of `of`."""
        levels = self.levels(role)
        return self.of(levels[min(level, len(levels) - 1)])

    def of(self, runtime: str) -> Engine:
        """Return the model of a runtime.

        Raises `RuntimeIncomplete`, `RecordingInvalid` or `ModelUnavailable`.
        """
        spec, key = self._config.runtimes[runtime], self._keys.get(runtime, "")
        served = _served(spec, key) if spec.provider == "vllm" else _Served("", "", 0)
        built = self._engines.get(runtime)
        if built is None or built[0] != served.deployment:
            built = served.deployment, self._build(runtime, spec, key, served)
            self._engines[runtime] = built
        return built[1]

    def _build(self, runtime: str, spec: RuntimeSpec, key: str, served: "_Served") -> Engine:
        if spec.provider == "replay":
            from runners.models.replay import ReplayModel

            if spec.recording is None:
                raise RuntimeIncomplete("SCENARIST_RECORDING is not set.")
            return Engine(runtime, ReplayModel.from_file(spec.recording), spec.prices)
        if spec.provider == "anthropic":
            from runners.models.anthropic import AnthropicModel

            if not key:
                raise RuntimeIncomplete(
                    f"The runtime {runtime} has no key: SCENARIST_ANTHROPIC_API_KEY is not set."
                )
            claude = AnthropicModel(
                spec.model or CLAUDE, api_key=key, url=spec.url or None, idle_s=spec.idle_seconds
            )
            context = spec.context_length or _CLAUDE_CONTEXT
            return Engine(runtime, claude, spec.prices, context, spec.max_tokens)
        from runners.models.vllm import VllmModel

        model: ChatModel = VllmModel(
            spec.url, served.model, api_key=key, idle_s=spec.idle_seconds, temperature=spec.temperature
        )
        tools, profile = spec.tools, None
        if tools == "auto":
            plain = model
            profile = remembered(
                self._profiles,
                served.deployment,
                lambda: probe(plain, served.deployment, served.context_length),
            )
            tools = profile.tools
        if tools == "xml":
            model = XmlTools(model)
        context = spec.context_length or served.context_length
        return Engine(runtime, model, spec.prices, context, _within(spec.max_tokens, context), profile)


def _model_of(spec: RuntimeSpec) -> tuple[str, str, str]:
    """Return what makes two runtimes the same model; a replay is one model for each recording."""
    return spec.provider, spec.url or str(spec.recording or ""), spec.model


def _within(max_tokens: int, context_length: int) -> int:
    """Return the bound of a reply in tokens: at most a quarter of the context, the rest is for the prompt."""
    return min(max_tokens, context_length // 4) if context_length else max_tokens


@dataclass(frozen=True)
class _Served:
    """The model that a server serves. `deployment` is a text that changes with any detail of it."""

    deployment: str
    model: str
    context_length: int


def _served(spec: RuntimeSpec, key: str) -> _Served:
    import openai

    from runners.models.vllm import client_of

    try:
        listed = client_of(spec.url, key).with_options(max_retries=2, timeout=20).models.list()
    except openai.OpenAIError as error:
        raise ModelUnavailable(f"{spec.url} does not list its models ({type(error).__name__}).") from None
    if not listed.data:
        raise ModelUnavailable(f"{spec.url} serves no model.")
    card = next((each for each in listed.data if each.id == spec.model), None)
    if card is None:
        if spec.model:  # some servers serve models that they do not list
            return _Served(f"{spec.url} {spec.model}", spec.model, 0)
        card = listed.data[0]
    extra = card.model_extra or {}
    length = extra.get("max_model_len")
    return _Served(
        f"{spec.url} {card.id} {extra.get('root', '')} {length}",
        card.id,
        length if isinstance(length, int) else 0,
    )
