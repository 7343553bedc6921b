"""The tools that a phase offers to a model, and the calls of these tools."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from gherkin.errors import ScenaristError
from gherkin.validation import in_words
from runners.models.chat import ToolCall, ToolSchema
from runners.policy.plaintext import cut_middle
from runners.policy.refused import Denied, Refused
from runners.tools.base.tool import Tool, ToolContext, ToolResult

# Tools of the loop itself, which end it.
ENDING_TOOLS = ("finish", "give_up", "ask")


class Toolbox:
    """The tools a model may use in one phase, in a fixed order."""

    def __init__(self, tools: Sequence[Tool[Any]]) -> None:
        self._tools = {each.name: each for each in tools}

    @property
    def writing(self) -> frozenset[str]:
        """Return names of the tools that can change something."""
        return frozenset(each.name for each in self._tools.values() if each.writes)

    def capability(self, name: str) -> str:
        """Return what the policy must grant for the tool `name`; empty for one that is not there."""
        return self._tools[name].capability if name in self._tools else ""

    def schemas(self) -> list[ToolSchema]:
        """Return the tools as a model is told about them.

        The same list gives the same text, so prompts can be cached.
        """
        return [
            ToolSchema(name=t.name, description=t.description, parameters=_parameters(t))
            for t in self._tools.values()
        ]

    def call(self, ctx: ToolContext, call: ToolCall) -> ToolResult:
        """Do `call`.

        Whatever goes wrong is an answer with `ok` false that says what to do; nothing is raised.
        """
        try:
            result = self._call(ctx, call)
        except Refused as error:
            result = ToolResult(ok=False, text=str(error), denied=isinstance(error, Denied))
        except ScenaristError as error:
            result = _failed(error.message)
        except Exception as error:  # a defect in one tool must not end the run
            result = _failed(f"The tool failed: {type(error).__name__}: {error}. Try another way.")
        return result.model_copy(update={"text": cut_middle(ctx.redactor.text(_clean(result.text)))})

    def _call(self, ctx: ToolContext, call: ToolCall) -> ToolResult:
        found = self._tools.get(call.name)
        if found is None:
            names = ", ".join((*self._tools, *ENDING_TOOLS))
            raise Refused(f"There is no tool `{call.name}`. The tools are: {names}.")
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
            lines = [f"- {in_words(e, 'arguments')}" for e in error.errors(include_url=False)]
            problems = "\n".join(lines[:10])
            raise Refused(f"Wrong arguments:\n{problems}\n`{found.name}` takes {_wanted(found)}.") from None
        refusal = found.refusal(ctx.policy, checked)
        if refusal is not None:
            raise Denied(refusal)
        return found(ctx, checked)


def _failed(text: str) -> ToolResult:
    return ToolResult(ok=False, text=text)


def _clean(text: str) -> str:
    """Return text without lone surrogates, which file names can contain and JSON over HTTP cannot."""
    return text.encode(errors="replace").decode()


def _wanted(found: Tool[Any]) -> str:
    fields = found.arguments.model_fields.items()
    names = [f"`{name}` ({'required' if field.is_required() else 'optional'})" for name, field in fields]
    return ", ".join(names) or "no arguments"


def _parameters(tool: Tool[Any]) -> dict[str, Any]:
    """Return the JSON Schema of the arguments, without the titles pydantic adds: they only repeat the
    names.
    """
    if tool.schema is not None:
        return dict(tool.schema)
    return _without_titles(tool.arguments.model_json_schema())


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key != "title"}
    if "properties" in kept:
        kept["properties"] = {name: _without_titles(field) for name, field in kept["properties"].items()}
    return kept
