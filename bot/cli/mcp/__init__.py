"""Commands for MCP: list and accept tools of servers, and serve runs to people's assistants.

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
        "serve": Lazy("bot.cli.mcp.serve:serve", "Serve runs to people's own assistants, by MCP over stdio."),
    }


mcp = typer.Typer(
    name="mcp",
    cls=McpCommands,
    help="List and accept tools of MCP servers, or serve runs by MCP.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@mcp.callback()
def _mcp() -> None:
    """List and accept tools of MCP servers, or serve runs by MCP."""
