"""The MCP servers of one phase: which of their tools a model is offered, and the calls.

A server is started by its first call. Its definitions are compared with the accepted ones then, and whenever
it reports a change; a tool that differs is refused.
"""

import logging
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ConfigDict

from runners.models.mcp_servers import McpServer
from runners.policy.capabilities import Policy
from runners.policy.plaintext import one_line
from runners.policy.refused import Denied, Refused
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.process import CommandResult
from runners.tools.backends.http import HttpAccess
from runners.tools.base import Arguments, Tool, ToolContext, ToolResult
from runners.tools.mcp.definitions import AcceptedTools, ToolDefinition
from runners.tools.mcp.http import HttpServer
from runners.tools.mcp.session import McpFailed, Session
from runners.tools.mcp.stdio import StdioServer

log = logging.getLogger(__name__)

CAPABILITY = "mcp.call"
_STARTS = 3  # of one server in a phase
# A server lives as long as its phase; its own calls are bounded one by one.
_LIMITS = CommandLimits(
    wall_s=24 * 3600, cpu_s=3600, memory_mb=2048, processes=256, file_mb=256, disk_mb=256, files=50_000
)


@dataclass(frozen=True)
class McpCatalog:
    """The operator's MCP servers with their secrets, and which of their tools are accepted.

    `env` and `headers` are the values of those keys, by server.
    """

    servers: Mapping[str, McpServer] = field(default_factory=dict)
    accepted: AcceptedTools = field(default_factory=AcceptedTools)
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    access: HttpAccess = field(default_factory=HttpAccess)

    @property
    def secrets(self) -> list[str]:
        """Return all values that the operator's file takes from elsewhere; of a header also its token
        alone.
        """
        env = [value for found in self.env.values() for value in found.values()]
        headers = [value for found in self.headers.values() for value in found.values()]
        return [*env, *headers, *(value.rpartition(" ")[2] for value in headers)]

    def offered(self, server: str) -> tuple[ToolDefinition, ...]:
        """Return the tools of a server that a model may be shown."""
        wanted = self.servers[server].tools
        return tuple(
            each
            for each in self.accepted.servers.get(server, ())
            if not each.problem and (not wanted or each.name in wanted)
        )

    def connect(
        self,
        server: str,
        workspace: Path,
        cancel: threading.Event,
        ended: Callable[[CommandResult], None] | None = None,
        *,
        unsafe: bool = False,
    ) -> Session:
        """Return a session with a server, which `start` begins; `workspace` is the folder that it may see.

        Raises `McpFailed`, and `SandboxMissing` where this machine has no sandbox.
        """
        spec = self.servers[server]
        if spec.url:
            headers = self.headers.get(server, {})
            return Session(HttpServer(self.access, spec.url, headers, private=spec.private))
        if unsafe:
            raise McpFailed("is started in the sandbox only, and this machine works without one")
        sandbox = Sandbox(
            workspace,
            read_only={str(folder): folder for folder in spec.folders},
            env=self.env.get(server, {}),
            network=spec.network,
            limits=_LIMITS,
            workspace_read_only=True,
            ended=ended,
        )
        return Session(StdioServer(sandbox, spec.command, cancel))


class _Given(Arguments):
    """The arguments of a server's tool, which the server checks itself."""

    model_config = ConfigDict(frozen=True, extra="allow")


class McpServers:
    """The servers `names` of the catalog, for one phase; on leaving they are ended.

    `workspace` is the checkout. `ended` is told of the commands. With `unsafe` this machine has no sandbox.
    """

    def __init__(
        self,
        catalog: McpCatalog,
        names: Sequence[str],
        workspace: Path,
        cancel: threading.Event,
        ended: Callable[[CommandResult], None] | None = None,
        *,
        unsafe: bool = False,
    ) -> None:
        self._catalog = catalog
        self._names = names
        self._workspace = workspace
        self._cancel = cancel
        self._ended = ended
        self._unsafe = unsafe
        self._sessions: dict[str, Session] = {}
        self._live: dict[str, dict[str, str]] = {}
        self._starts: dict[str, int] = {}
        self._empty = tempfile.TemporaryDirectory(prefix="scenarist-mcp-")

    def tools(self, policy: Policy) -> list[Tool[Any]]:
        """Return the accepted tools that `policy` allows, as a model calls them: ``mcp_SERVER_TOOL``."""
        return [
            self._tool(server, each)
            for server in self._names
            for each in self._catalog.offered(server)
            if policy.refusal(CAPABILITY, f"{server}/{each.name}") is None
        ]

    def call(self, server: str, tool: ToolDefinition, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool of a server, which is started if need be.

        Raises `Denied` for a tool that is not as it was accepted, and `Refused` for a server that fails.
        """
        spec = self._catalog.servers[server]
        try:
            session = self._session(server, spec)
            if session.changed:
                self._note(server, session.tools(spec.start_seconds))
            live = self._live[server].get(tool.name)
            if live != tool.sha256:
                log.warning("tool %s of MCP server %s is not as it was accepted", tool.name, server)
                how = "no longer has this tool" if live is None else "now defines this tool differently"
                raise Denied(
                    f"The server `{server}` {how}, so it is refused until the operator accepts it again. "
                    "Go on without it."
                )
            output = session.call(tool.name, arguments, spec.call_seconds)
        except McpFailed as error:
            self._end(server)
            log.warning("MCP server %s %s", server, one_line(str(error), 500))
            raise Refused(f"The server `{server}` {error}. Go on without it if this repeats.") from None
        data = {"server": server, "tool": tool.name, "sha256": tool.sha256, "characters": len(output.text)}
        return ToolResult(ok=not output.failed, text=output.text or "(no text)", data=data)

    def _tool(self, server: str, definition: ToolDefinition) -> Tool[_Given]:
        required = definition.parameters.get("required", ())

        def function(_ctx: ToolContext, args: _Given) -> ToolResult:
            # Some models send null for what they leave out.
            given = {k: v for k, v in (args.model_extra or {}).items() if v is not None or k in required}
            return self.call(server, definition, given)

        return Tool(
            f"mcp_{server}_{definition.name}",
            definition.description,
            _Given,
            function,
            CAPABILITY,
            writes=True,  # what a server says about that is not trusted
            resource=lambda _args: f"{server}/{definition.name}",
            schema=definition.parameters,
        )

    def _session(self, server: str, spec: McpServer) -> Session:
        if server in self._sessions:
            return self._sessions[server]
        if self._starts.get(server, 0) >= _STARTS:
            raise McpFailed(f"was started {_STARTS} times and is not started again")
        self._starts[server] = self._starts.get(server, 0) + 1
        root = self._workspace if spec.workspace else Path(self._empty.name)
        session = self._catalog.connect(server, root, self._cancel, self._ended, unsafe=self._unsafe)
        self._sessions[server] = session
        self._note(server, session.start(spec.start_seconds))
        return session

    def _note(self, server: str, tools: Sequence[ToolDefinition]) -> None:
        self._live[server] = {each.name: each.sha256 for each in tools}

    def _end(self, server: str) -> None:
        if (session := self._sessions.pop(server, None)) is not None:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in list(self._sessions):
            self._end(server)
        self._empty.cleanup()
