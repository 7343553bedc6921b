"""Commands for MCP: list and accept tools of servers, and serve runs to people's assistants.

One file for each command."""

from bot.cli.lazy import Lazy, lazy_group

mcp = lazy_group(
    "mcp",
    "List and accept tools of MCP servers, or serve runs by MCP.",
    {
        "list": Lazy(
            "bot.cli.mcp.list_tools:list_tools",
            "Ask each MCP server for its tools, and show which of them are accepted.",
        ),
        "accept": Lazy(
            "bot.cli.mcp.accept:accept", "Accept the tools of an MCP server as they are now defined."
        ),
        "serve": Lazy(
            "bot.cli.mcp.serve:serve", "Let an assistant list, read and start runs (MCP over stdio)."
        ),
    },
)
