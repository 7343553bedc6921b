"""Commands for the operator's MCP servers: list their tools, accept them.

One file for each command."""

import typer

from bot.cli.lazy import Lazy, LazyGroup


class McpCommands(LazyGroup):
    """The commands of `scenarist mcp`."""

    table = {
        "list": Lazy(
            "bot.cli.mcp.list_tools:list_tools",
            "Ask each MCP server for its tools, and show which of them are accepted.",
        ),
        "accept": Lazy(
            "bot.cli.mcp.accept:accept", "Accept the tools of an MCP server as they are now defined."
        ),
    }


mcp = typer.Typer(
    name="mcp",
    cls=McpCommands,
    help="List and accept the tools of MCP servers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@mcp.callback()
def _mcp() -> None:
    """List and accept the tools of MCP servers."""
