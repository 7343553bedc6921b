"""The definition of a tool: a typed function with a description."""

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import Field

from gherkin.values import Frozen
from runners.git.model_git import TreeGit
from runners.policy.capabilities import Policy
from runners.policy.redact import Redactor
from runners.policy.refused import Refused
from runners.sandbox.bubblewrap import Sandbox


class ToolResult(Frozen):
    """The answer to one call.

    `text` goes to the model, `data` to the log. `ok` is whether the call did what it was asked to do; for a
    command or the tests, whether they passed. `files_changed` are paths relative to the workspace. `denied`
    is whether the policy refused it.
    """

    ok: bool
    text: str
    data: dict[str, Any] = Field(default_factory=dict)
    files_changed: tuple[str, ...] = ()
    denied: bool = False


class Arguments(Frozen):
    """Base class of the arguments of a tool."""


A = TypeVar("A", bound=Arguments)
R = TypeVar("R")


@dataclass(frozen=True)
class ToolContext:
    """What tools work on.

    `root` is the workspace on the host. `known` says whether there was a file at a path when the work began.
    `resources` are what only some tools need and only some machines have: background commands, databases, a
    container engine. A tool gets one by its class.
    """

    root: Path
    sandbox: Sandbox
    git: TreeGit
    run_tests: Callable[[str | None], ToolResult]
    policy: Policy = field(default_factory=Policy)
    known: Callable[[str], bool] = lambda _path: True
    cancel: threading.Event | None = None
    redactor: Redactor = field(default_factory=Redactor)
    resources: tuple[object, ...] = ()

    def resource(self, kind: type[R]) -> R:
        """Return the resource of that class. Raises `Refused` when there is none on this machine."""
        for each in self.resources:
            if isinstance(each, kind):
                return each
        raise Refused("The operator has not set this up on this machine. Reach the goal without it.")


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One tool.

    `capability` is what the policy must grant for it, on the resource (a host, a database) that `resource`
    finds in the arguments. `writes` is whether it can change anything: such calls are run one after the
    other. `schema` is the JSON Schema that models are told, if it is not the one of `arguments`.
    """

    name: str
    description: str
    arguments: type[A]
    function: Callable[[ToolContext, A], ToolResult]
    capability: str
    writes: bool
    resource: Callable[[A], str] | None = None
    schema: Mapping[str, Any] | None = None

    def __call__(self, ctx: ToolContext, args: A) -> ToolResult:
        return self.function(ctx, args)

    def refusal(self, policy: Policy, args: A) -> str | None:
        """Return why `policy` forbids this call, in a sentence; None if it does not. Raises `Refused`."""
        return policy.refusal(self.capability, self.resource(args) if self.resource else None)


def tool(
    capability: str, *, writes: bool, resource: Callable[[Any], str] | None = None
) -> Callable[[Callable[[ToolContext, A], ToolResult]], Tool[A]]:
    """Make a tool of a function `(ctx, args)`; the first paragraph of its docstring is what the model
    reads."""

    def make(function: Callable[[ToolContext, A], ToolResult]) -> Tool[A]:
        description = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        arguments: type[A] = get_type_hints(function)["args"]
        return Tool(function.__name__, description, arguments, function, capability, writes, resource)

    return make
