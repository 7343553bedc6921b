"""`scenarist mcp accept`."""

import json
from typing import Annotated

import typer

from bot.cli.mcp.ask_servers import ComparedTool, McpServerUnknown, compare, tools_now
from bot.config.mcp import load_mcp
from bot.config.settings import load_settings
from runners.policy.plaintext import for_terminal, one_line
from runners.tools.mcp.definitions import accepted_file, write_accepted


def accept(
    server: Annotated[str, typer.Argument(help="The server's name in the models file.")],
    tools: Annotated[
        list[str] | None, typer.Argument(help="Names of its tools; none: all that are new, changed or gone.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the definitions are right.")] = False,
) -> None:
    """Accept the tools of an MCP server as they are now defined.

    Prints each definition that is new or changed, asks, and writes the accepted ones beside the models file.
    A tool that the server no longer has is removed from that file.
    """
    settings = load_settings()
    catalog = load_mcp(settings)
    if settings.models_file is None or server not in catalog.servers:
        raise McpServerUnknown(f"The models file lists no MCP server called {one_line(server, 60)}.")
    found = compare(catalog, server, tools_now(catalog, server, settings))
    names = {each.definition.name for each in found}
    if unknown := [name for name in tools or () if name not in names]:
        raise McpServerUnknown(f"The server {server} has no tool called {one_line(unknown[0], 60)}.")
    chosen = [each for each in found if each.state not in ("accepted", "unusable")]
    chosen = [each for each in chosen if not tools or each.definition.name in tools]
    for each in found:
        if each.state == "unusable":
            typer.echo(f"{for_terminal(each.definition.name)} cannot be accepted: {each.problem}.", err=True)
    if not chosen:
        typer.echo("There is nothing to accept.")
        return
    typer.echo("\n\n".join(_shown(each) for each in chosen))
    if not yes and not typer.confirm("Show these definitions to models?"):
        raise typer.Exit(1)
    taken = {each.definition.name for each in chosen}
    kept = [each for each in catalog.accepted.servers.get(server, ()) if each.name not in taken]
    kept += [each.definition for each in chosen if each.state != "gone"]
    path = accepted_file(settings.models_file)
    write_accepted(path, catalog.accepted.with_tools(server, tuple(sorted(kept, key=lambda tool: tool.name))))
    typer.echo(f"{len(chosen)} written to {path}. Restart the workers of the queue `runs`.")


def _shown(tool: ComparedTool) -> str:
    definition = tool.definition
    schema = json.dumps(definition.parameters, indent=1, ensure_ascii=True)
    return for_terminal(f"{definition.name} ({tool.state})\n{definition.description}\n{schema}")
