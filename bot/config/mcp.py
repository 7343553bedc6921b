"""The operator's MCP servers, from the models file.

It is apart from `models.py`, because it imports all tools, which most commands do not need.
"""

from collections.abc import Mapping

from bot.config.limits import secret
from bot.config.models import ModelsInvalid, read_models
from bot.config.settings import Settings
from gherkin.yamlfile import Source
from runners.tools.mcp.definitions import AcceptedTools, accepted_file, read_accepted
from runners.tools.mcp.servers import McpCatalog


def load_mcp(settings: Settings) -> McpCatalog:
    """Return the operator's MCP servers with their secrets, and what is accepted of them.

    Raises `ModelsInvalid` or `AcceptedInvalid`.
    """
    if settings.models_file is None:
        return McpCatalog()
    servers = read_models(settings.models_file).mcp
    values: dict[str, dict[str, dict[str, str]]] = {"env": {}, "headers": {}}
    for kind, found in values.items():
        for name, server in servers.items():
            sources: Mapping[str, Source] = getattr(server, kind)
            found[name] = {
                key: secret(f"mcp.{name}.{kind}.{key}", source, ModelsInvalid)
                for key, source in sources.items()
            }
    accepted = read_accepted(accepted_file(settings.models_file)) if servers else AcceptedTools()
    return McpCatalog(servers, accepted, values["env"], values["headers"])
