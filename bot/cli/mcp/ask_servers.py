"""Compare the tools that MCP servers have now with those that the operator accepted."""

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.config.settings import Settings
from gherkin.errors import ScenaristError
from runners.policy.plaintext import for_terminal
from runners.tools.mcp.definitions import ToolDefinition
from runners.tools.mcp.servers import McpCatalog
from runners.tools.mcp.session import McpFailed

State = Literal["accepted", "changed", "new", "gone", "unusable"]


class McpUnreachable(ScenaristError):
    """An MCP server cannot be asked for its tools."""

    code = "SCN-7051"
    next_step = "Correct its entry under `mcp` in the models file; `docs/mcp.md` explains the keys."


class McpServerUnknown(ScenaristError):
    """The models file does not list this MCP server, or the server does not have this tool."""

    code = "SCN-7052"
    next_step = "`scenarist mcp list` shows the servers and their tools."


@dataclass(frozen=True)
class ComparedTool:
    """One tool of a server, as it is now (or as it was accepted, if it is gone), and what follows from
    that.
    """

    definition: ToolDefinition
    state: State
    problem: str = ""


def tools_now(catalog: McpCatalog, server: str, settings: Settings) -> tuple[ToolDefinition, ...]:
    """Start or reach a server and return its tools. Raises `McpUnreachable` or `SandboxMissing`."""
    with tempfile.TemporaryDirectory(prefix="scenarist-mcp-") as empty:
        try:
            session = catalog.connect(
                server, Path(empty), threading.Event(), unsafe=settings.unsafe_no_sandbox
            )
            try:
                return session.start(catalog.servers[server].start_seconds)
            finally:
                session.close()
        except McpFailed as error:
            raise McpUnreachable(f"The server {server} {for_terminal(str(error))}.") from None


def compare(catalog: McpCatalog, server: str, now: tuple[ToolDefinition, ...]) -> list[ComparedTool]:
    """Compare the tools of a server with the accepted ones; those that are gone come last."""
    accepted = {each.name: each for each in catalog.accepted.servers.get(server, ())}
    found: list[ComparedTool] = []
    for each in now:
        known = accepted.pop(each.name, None)
        if each.problem:
            found.append(ComparedTool(each, "unusable", each.problem))
        elif known is None:
            found.append(ComparedTool(each, "new"))
        else:
            found.append(ComparedTool(each, "accepted" if known.sha256 == each.sha256 else "changed"))
    return found + [ComparedTool(each, "gone") for each in accepted.values()]
