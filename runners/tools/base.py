"""What a tool is: a typed function with a description, and the box that calls it for a model."""

import inspect
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gherkin.errors import ScenaristError
from runners.models.chat import Frozen, ToolCall, ToolSchema
from runners.sandbox import Sandbox

MAX_TEXT = 16_000


class ToolResult(Frozen):
    """The answer to one call.

    `text` goes to the model, `data` to the log. `ok` is whether the call did what it was asked to do: for a
    command or the tests, that they passed. `files_changed` are paths relative to the workspace.
    """

    ok: bool
    text: str
    data: dict[str, Any] = Field(default_factory=dict)
    files_changed: tuple[str, ...] = ()


class GitReader(Protocol):
    """Read-only git on the workspace, by somebody who knows where its git directory lies.

    A `path` is relative to the workspace and literal: it may begin with ``-`` or ``:``.
    """

    def status(self) -> str:
        """What differs from the last commit, one line a file."""
        ...

    def diff(self, path: str | None, base: bool) -> str:
        """A unified diff since the last commit, or since the run began (`base`); of `path` only, if given."""
        ...

    def log(self, limit: int, path: str | None) -> str:
        """The newest `limit` commits, one line each; those that touched `path`, if given."""
        ...


@dataclass(frozen=True)
class ToolContext:
    """What tools work on. `root` is the workspace on the host; `protected` are globs that must not be written."""

    root: Path
    sandbox: Sandbox
    git: GitReader
    run_tests: Callable[[str | None], ToolResult]
    protected: tuple[str, ...] = ()
    cancel: threading.Event | None = None


class Arguments(BaseModel):
    """Base of the arguments of a tool: no unknown ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Refused(Exception):
    """The call cannot be done; the text tells the model why and what to do instead."""


A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One tool. `writes` is whether it can change the workspace."""

    name: str
    description: str
    arguments: type[A]
    function: Callable[[ToolContext, A], ToolResult]
    writes: bool

    def __call__(self, ctx: ToolContext, args: A) -> ToolResult:
        return self.function(ctx, args)


def tool(*, writes: bool) -> Callable[[Callable[[ToolContext, A], ToolResult]], Tool[A]]:
    """Make a tool of a function `(ctx, args)`; the first paragraph of its docstring is what the model reads."""

    def make(function: Callable[[ToolContext, A], ToolResult]) -> Tool[A]:
        description = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        arguments: type[A] = get_type_hints(function)["args"]
        return Tool(function.__name__, description, arguments, function, writes)

    return make


class Toolbox:
    """The tools a model may use in one phase, in a fixed order."""

    def __init__(self, tools: Sequence[Tool[Any]]) -> None:
        self._tools = {each.name: each for each in tools}

    def schemas(self) -> list[ToolSchema]:
        """The tools as a model is told about them; the same list gives the same text, so prompts can be cached."""
        return [
            ToolSchema(name=t.name, description=t.description, parameters=_parameters(t.arguments))
            for t in self._tools.values()
        ]

    def call(self, ctx: ToolContext, call: ToolCall) -> ToolResult:
        """Do `call`. Whatever goes wrong is an answer with `ok` false that says what to do; nothing is raised."""
        try:
            result = self._call(ctx, call)
        except (Refused, ScenaristError) as error:
            result = _failed(error.message if isinstance(error, ScenaristError) else str(error))
        except Exception as error:  # a defect in one tool must not end the run
            result = _failed(f"The tool failed: {type(error).__name__}: {error}. Try another way.")
        return result.model_copy(update={"text": cut_middle(_clean(result.text))})

    def _call(self, ctx: ToolContext, call: ToolCall) -> ToolResult:
        found = self._tools.get(call.name)
        if found is None:
            raise Refused(f"There is no tool `{call.name}`. The tools are: {', '.join(self._tools)}.")
        try:
            arguments = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError) as error:
            raise Refused(
                f"The arguments are not valid JSON ({error}). Send one JSON object with {_wanted(found)}."
            ) from None
        if not isinstance(arguments, dict):
            raise Refused(f"The arguments must be one JSON object with {_wanted(found)}.")
        fields = found.arguments.model_fields
        # Some models send null for what they leave out.
        given = {
            k: v for k, v in arguments.items() if v is not None or k not in fields or fields[k].is_required()
        }
        try:
            checked = found.arguments.model_validate(given)
        except ValidationError as error:
            lines = [f"- {_place(e['loc'])}: {e['msg']}" for e in error.errors(include_url=False)]
            problems = "\n".join(lines[:10])
            raise Refused(f"Wrong arguments:\n{problems}\n`{found.name}` takes {_wanted(found)}.") from None
        return found(ctx, checked)


def cut_middle(text: str, limit: int = MAX_TEXT) -> str:
    """`text` in at most about `limit` characters: the beginning, a note on what is missing, the end."""
    if len(text) <= limit:
        return text
    half = limit // 2
    note = f"\n[… {len(text) - 2 * half:,} characters cut from the middle …]\n"
    return text[:half] + note + text[-half:]


def _failed(text: str) -> ToolResult:
    return ToolResult(ok=False, text=text)


def _clean(text: str) -> str:
    """Without lone surrogates, which file names can hold and JSON over HTTP cannot."""
    return text.encode(errors="replace").decode()


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "arguments"


def _wanted(found: Tool[Any]) -> str:
    fields = found.arguments.model_fields.items()
    names = [f"`{name}` ({'required' if field.is_required() else 'optional'})" for name, field in fields]
    return ", ".join(names) or "no arguments"


def _parameters(arguments: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of the arguments, without the titles pydantic adds: they only repeat the names."""
    return _without_titles(arguments.model_json_schema())


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key != "title"}
    if "properties" in kept:
        kept["properties"] = {name: _without_titles(field) for name, field in kept["properties"].items()}
    return kept
