"""What a phase may use: this machine's workspaces and models, the run's log and its artifacts."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runners.contract.events import Instructed, ModelPhase, ModelReplied, RunnerEvent
from runners.contract.operator_limits import OperatorLimits
from runners.environment.prepare import Environments
from runners.git.workspaces import Workspaces
from runners.loop.asking import ask
from runners.models.chat import Message, ToolSchema
from runners.models.roster import Roster
from runners.models.runtimes import ModelRole
from runners.policy.redact import Redactor
from runners.sandbox.limits import CommandLimits


class Log(Protocol):
    """Stores events, and artifacts by name, durably before it returns. Raises to stop the phase."""

    def __call__(
        self, events: Sequence[RunnerEvent], artifacts: Mapping[str, bytes] | None = None
    ) -> None: ...


@dataclass(frozen=True)
class Services:
    """What a phase may use: this machine's workspaces and models, the run's log and artifacts.

    `earlier` returns an artifact of another run on the same repository, `instructions` what people wrote
    while the run was on. When `cancel` is set, running commands and model requests end within a moment.
    `operator` limits what the model's tools may do, `redactor` knows this process's secrets, and `resources`
    are the databases and the container engine of this machine.
    """

    workspaces: Workspaces
    models: Roster
    log: Log
    artifact: Callable[[str], bytes | None]
    limits: CommandLimits
    environments: Environments
    cancel: threading.Event
    earlier: Callable[[str, str], bytes | None] = lambda _run, _name: None
    instructions: Callable[[], Sequence[Instructed]] = tuple
    unsafe_no_sandbox: bool = False
    operator: OperatorLimits = field(default_factory=OperatorLimits)
    redactor: Redactor = field(default_factory=Redactor)
    resources: tuple[object, ...] = ()

    def ask(
        self,
        role: ModelRole,
        phase: ModelPhase,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSchema] = (),
        schema: dict[str, Any] | None = None,
        max_tokens: int = 0,
    ) -> ModelReplied:
        """Ask the model of `role` and return its answer, not logged yet; see `asking.ask`."""
        return ask(
            self.models.engine(role),
            phase,
            messages,
            tools=tools,
            schema=schema,
            max_tokens=max_tokens,
            cancel=self.cancel,
            redactor=self.redactor,
        )
