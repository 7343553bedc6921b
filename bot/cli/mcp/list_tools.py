"""`scenarist mcp list`."""

import json

import typer

from bot.cli.mcp.ask_servers import ComparedTool, McpUnreachable, compare, tools_now
from bot.cli.options import AsJson
from bot.config.mcp import load_mcp
from bot.config.settings import load_settings
from runners.policy.plaintext import for_terminal, one_line


def list_tools(as_json: AsJson = False) -> None:
    """Ask each MCP server for its tools, and show which of them are accepted.

    Exit status 1 if a server cannot be asked, or if an accepted tool has changed or is gone.
    """
    settings = load_settings()
    catalog = load_mcp(settings)
    rows: list[dict[str, str]] = []
    wrong = False
    for server in catalog.servers:
        try:
            found = compare(catalog, server, tools_now(catalog, server, settings))
        except McpUnreachable as error:
            wrong = True
            rows.append({"server": server, "tool": "", "state": "unreachable", "description": error.message})
            continue
        wrong = wrong or any(each.state in ("changed", "gone") for each in found)
        rows += [_row(server, each) for each in found]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        typer.echo(_table(rows) if rows else "The models file lists no MCP servers.")
    raise typer.Exit(1 if wrong else 0)


def _row(server: str, tool: ComparedTool) -> dict[str, str]:
    said = tool.problem or one_line(for_terminal(tool.definition.description))
    return {
        "server": server,
        "tool": one_line(for_terminal(tool.definition.name), 60),
        "state": tool.state,
        "description": said,
        "sha256": tool.definition.sha256,
    }


def _table(rows: list[dict[str, str]]) -> str:
    cells = [("server", "tool", "state", "description")]
    cells += [(row["server"], row["tool"], row["state"], row["description"]) for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:3], widths, strict=True)), line[3]])
        for line in cells
    )
