"""MCP servers of the operator: the key ``mcp`` of the models file. https://modelcontextprotocol.io"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from gherkin.values import Frozen
from gherkin.yamlfile import Source

ServerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,19}$")]
_STDIO_ONLY = ("folders", "workspace", "network", "env")
_HTTP_ONLY = ("private", "headers")


class McpServer(Frozen):
    """One MCP server: a command in the sandbox that speaks over stdio, or a URL (streamable HTTP)."""

    command: tuple[str, ...] = Field(
        default=(), description="The command that starts it, in the sandbox; it speaks over stdio."
    )
    url: str = Field(default="", description="Its address, for a server that is reached over HTTP.")
    tools: tuple[str, ...] = Field(
        default=(), description="Names of the tools that are offered; empty: all that are accepted."
    )
    folders: tuple[Path, ...] = Field(
        default=(), description="Folders of this machine that the command sees, read-only."
    )
    workspace: bool = Field(
        default=False, description="Whether the command sees the checkout at /workspace, read-only."
    )
    network: bool = Field(default=False, description="Whether the command may use this machine's network.")
    env: dict[str, Source] = Field(
        default={}, description="Environment variables of the command, and where their values are found."
    )
    private: bool = Field(
        default=False,
        description="Whether `url` may lead to a private address; otherwise only to the open internet.",
    )
    headers: dict[str, Source] = Field(
        default={}, description="Request headers, such as Authorization, and where their values are found."
    )
    start_seconds: float = Field(
        default=20, gt=0, le=300, description="How long its whole start may take, the list of tools included."
    )
    call_seconds: float = Field(default=60, gt=0, le=600, description="How long one call may take.")

    @model_validator(mode="after")
    def _one_kind(self) -> "McpServer":
        if bool(self.command) == bool(self.url):
            raise ValueError("give either `command` or `url`")
        unfit = [name for name in (_STDIO_ONLY if self.url else _HTTP_ONLY) if getattr(self, name)]
        if unfit:
            other = "url" if self.url else "command"
            raise ValueError(
                f"a server with `{other}` has no {' and no '.join(f'`{each}`' for each in unfit)}"
            )
        return self
