"""MCP servers of the stand-in, as an operator lists them, and their tools in the hands of a model."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runners.models.mcp_servers import McpServer
from runners.policy.capabilities import Policy
from runners.tools.backends.http import HttpAccess
from runners.tools.base import Toolbox, ToolContext, ToolResult
from runners.tools.mcp.definitions import AcceptedTools, ToolDefinition
from runners.tools.mcp.servers import McpCatalog, McpServers
from tests.standins import mcp_server
from tests.support.tool_context import asked

STANDIN = Path(mcp_server.__file__)


def standin(*options: str, **more: Any) -> McpServer:
    """Return the entry of the models file for the stand-in over stdio; `more` are further keys.

    It may take its time to start and to answer, on a machine however slow, unless `more` says otherwise.
    """
    slow = {"start_seconds": 300, "call_seconds": 300}
    command = (sys.executable, str(STANDIN), *options)
    return McpServer(**{"command": command, "folders": (STANDIN.parent,), **slow, **more})


def definitions(*options: str) -> tuple[ToolDefinition, ...]:
    """Return what the stand-in says of its tools."""
    return tuple(
        ToolDefinition(name=each["name"], description=each["description"], parameters=each["inputSchema"])
        for each in mcp_server.Script(list(options)).tools()
    )


@contextmanager
def servers(
    spec: McpServer,
    workspace: Path,
    accepted: tuple[ToolDefinition, ...] | None = None,
    access: HttpAccess | None = None,
    **more: Any,
) -> Iterator[McpServers]:
    """Yield the one server `spec`, called ``s``, of which `accepted` is accepted: else all it has at first."""
    known = AcceptedTools(servers={"s": definitions() if accepted is None else accepted})
    catalog = McpCatalog({"s": spec}, known, access=access or HttpAccess(), **more.pop("catalog", {}))
    with McpServers(catalog, ["s"], workspace, more.pop("cancel", threading.Event()), **more) as found:
        yield found


def use(found: McpServers, ctx: ToolContext, name: str, /, **arguments: Any) -> ToolResult:
    """Call the tool `name` of the server ``s`` as a model does."""
    return Toolbox(found.tools(Policy())).call(ctx, asked(f"mcp_s_{name}", **arguments))
