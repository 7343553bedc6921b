"""The tools that a server describes, and the file with those that the operator accepted.

A model only sees accepted definitions. A server's descriptions reach a prompt in no other way, so they cannot
turn into instructions after somebody has read them.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from gherkin.errors import ScenaristError
from gherkin.issue.hidden import visible
from gherkin.values import Frozen
from runners.models.mcp_servers import ServerName
from runners.policy.plaintext import without_controls

# Names of functions that models' servers take have 64 characters at most; the server's own name needs some.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,38}")
_MAX_DESCRIPTION = 4_000
_MAX_SCHEMA = 16_000


class AcceptedInvalid(ScenaristError):
    """The file with the accepted tools of MCP servers cannot be used."""

    code = "SCN-7050"
    next_step = "Remove the file and accept the tools again with `scenarist mcp accept`."


class ToolDefinition(Frozen):
    """A server's description of one tool: its name, what it does, and the JSON Schema of its arguments."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Return the hash of name, description and schema, in hex; the order of keys does not matter."""
        text = json.dumps(self.model_dump(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def problem(self) -> str:
        """Return why no model may be shown this definition, in a clause; empty if one may."""
        schema = json.dumps(self.parameters, ensure_ascii=False)
        if not _NAME.fullmatch(self.name):
            return "its name is not made of 1 to 38 letters, digits, `_` and `-`"
        if len(self.description) > _MAX_DESCRIPTION or len(schema) > _MAX_SCHEMA:
            return f"it has over {_MAX_DESCRIPTION:,} characters, or its schema over {_MAX_SCHEMA:,}"
        if self.parameters.get("type") != "object":
            return "its schema is not one of an object"
        for text in _texts(self.description, self.parameters):
            if without_controls(text) != text or visible(text)[1]:
                return "it holds text that people do not see"
        return ""


class AcceptedTools(Frozen):
    """The tools that the operator accepted, by server."""

    servers: dict[ServerName, tuple[ToolDefinition, ...]] = {}

    def with_tools(self, server: str, tools: tuple[ToolDefinition, ...]) -> "AcceptedTools":
        """Return the same with `tools` as all that is accepted of `server`."""
        return AcceptedTools(servers={**self.servers, server: tools})


def accepted_file(models_file: Path) -> Path:
    """Return the path of the accepted tools: beside the operator's models file."""
    return models_file.with_suffix(".mcp.json")


def read_accepted(path: Path) -> AcceptedTools:
    """Read the accepted tools; none if there is no such file. Raises `AcceptedInvalid`."""
    try:
        return AcceptedTools.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return AcceptedTools()
    except (OSError, ValidationError) as error:
        said = error.strerror if isinstance(error, OSError) else "it does not hold what was written there"
        raise AcceptedInvalid(f"{path} cannot be read: {said}.") from None


def write_accepted(path: Path, accepted: AcceptedTools) -> None:
    """Write the accepted tools. Raises `OSError`."""
    text = json.dumps(accepted.model_dump(), indent=1, sort_keys=True, ensure_ascii=True)
    path.write_text(text + "\n", encoding="ascii")


def _texts(*values: Any) -> list[str]:
    """Return all texts in JSON values, keys of objects included."""
    found: list[str] = []
    for value in values:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Mapping):
            found += _texts(*value.keys(), *value.values())
        elif isinstance(value, list):
            found += _texts(*value)
    return found
