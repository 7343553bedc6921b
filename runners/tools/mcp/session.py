"""The protocol: JSON-RPC 2.0 messages over any transport, for a client that only calls tools.

https://modelcontextprotocol.io/specification/2025-11-25. The client is our own because both transports are:
stdio runs in the sandbox, and HTTP goes through the guarded client. Nothing that a server sends is trusted:
sizes, counts and times are limited here and in the transports.
"""

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from gherkin.values import Frozen
from runners.policy.plaintext import one_line, without_controls
from runners.tools.mcp.definitions import ToolDefinition

REVISION = "2025-11-25"
REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", REVISION)
MAX_BYTES = 4_000_000  # of what a server sends in answer to one request
_MAX_TOOLS = 200
_MAX_PAGES = 50
_METHOD_NOT_FOUND = -32601

RpcMessage = dict[str, Any]


class McpFailed(Exception):
    """A server failed; the text is a clause that follows its name."""


class Transport(Protocol):
    """Carries messages to one server and back. Every method raises `McpFailed`."""

    def exchange(self, message: RpcMessage, seconds: float) -> Iterator[RpcMessage]:
        """Send a request and yield what the server sends, until `seconds` are over."""

    def tell(self, message: RpcMessage, seconds: float) -> None:
        """Send a message that has no answer."""

    def revision(self, agreed: str) -> None:
        """Note the revision of the protocol that both sides speak."""

    def close(self) -> None:
        """End the connection, and the server if it was started for it."""


class ToolOutput(Frozen):
    """A tool's output: text, and whether the server says that the call failed."""

    text: str
    failed: bool


class Session:
    """A connection to one server. `changed` is whether it said that its tools have changed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ids = itertools.count(1)
        self.changed = False

    def start(self, seconds: float) -> tuple[ToolDefinition, ...]:
        """Shake hands and return the server's tools, in `seconds` for all of it. Raises `McpFailed`."""
        deadline = time.monotonic() + seconds
        about = {"name": "scenarist", "version": "1"}
        hello = {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": about}
        agreed = str(self._ask("initialize", hello, deadline).get("protocolVersion"))
        if agreed not in REVISIONS:
            raise McpFailed(f"speaks the revision {one_line(agreed, 40)}, not one of {', '.join(REVISIONS)}")
        self._transport.revision(agreed)
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        self._transport.tell(told, deadline - time.monotonic())
        return self._list(deadline)

    def tools(self, seconds: float) -> tuple[ToolDefinition, ...]:
        """Return the server's tools. Raises `McpFailed`."""
        return self._list(time.monotonic() + seconds)

    def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> ToolOutput:
        """Call a tool. Raises `McpFailed`."""
        given = {"name": tool, "arguments": dict(arguments)}
        result = self._ask("tools/call", given, time.monotonic() + seconds)
        parts = result.get("content")
        texts = [_shown(part) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
        if not any(texts) and result.get("structuredContent") is not None:
            texts = [json.dumps(result["structuredContent"], ensure_ascii=False, indent=1)]
        return ToolOutput(text=without_controls("\n".join(texts)), failed=result.get("isError") is True)

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def _list(self, deadline: float) -> tuple[ToolDefinition, ...]:
        found: list[ToolDefinition] = []
        cursor: dict[str, str] = {}
        self.changed = False
        for _ in range(_MAX_PAGES):
            page = self._ask("tools/list", cursor, deadline)
            tools = page.get("tools")
            found += [_defined(each) for each in tools] if isinstance(tools, list) else []
            if len(found) > _MAX_TOOLS:
                raise McpFailed(f"has more than {_MAX_TOOLS} tools")
            following = page.get("nextCursor")
            if not isinstance(following, str):
                names = [each.name for each in found]
                if len(set(names)) < len(names):
                    raise McpFailed("has two tools of one name")
                return tuple(found)
            cursor = {"cursor": following}
        raise McpFailed(f"lists its tools on more than {_MAX_PAGES} pages")

    def _ask(self, method: str, params: Mapping[str, Any], deadline: float) -> RpcMessage:
        """Return the result of a request. Raises `McpFailed`."""
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)}
        for got in self._transport.exchange(request, deadline - time.monotonic()):
            if "method" in got:
                self._asked(got, deadline)
            elif got.get("id") == number:
                return _result(got)
        raise McpFailed("ended without an answer")

    def _asked(self, got: RpcMessage, deadline: float) -> None:
        """Answer a request of the server: only a ping. Requests to ask a person or a model are refused."""
        if got["method"] == "notifications/tools/list_changed":
            self.changed = True
        if "id" in got:
            no = {"code": _METHOD_NOT_FOUND, "message": "Method not found"}
            body = {"result": {}} if got["method"] == "ping" else {"error": no}
            self._transport.tell({"jsonrpc": "2.0", "id": got["id"], **body}, deadline - time.monotonic())


def _result(got: RpcMessage) -> RpcMessage:
    error, result = got.get("error"), got.get("result")
    if error is not None:
        said = str(error.get("message", "")) if isinstance(error, dict) else str(error)
        raise McpFailed(f"answered with an error: {one_line(said, 500)}")
    if not isinstance(result, dict):
        raise McpFailed("answered with something that is not a result")
    return result


def _defined(tool: Any) -> ToolDefinition:
    given = tool if isinstance(tool, dict) else {}
    schema = given.get("inputSchema")
    if not isinstance(given.get("name"), str) or not isinstance(schema, dict):
        raise McpFailed("lists a tool without a name or a schema")
    return ToolDefinition(
        name=given["name"], description=str(given.get("description") or ""), parameters=schema
    )


def _shown(part: Mapping[str, Any]) -> str:
    """Return one part of a result as text; what is not text is named."""
    kind = str(part.get("type"))
    if kind == "text":
        return str(part.get("text", ""))
    resource = part.get("resource")
    if kind == "resource" and isinstance(resource, dict) and isinstance(resource.get("text"), str):
        return str(resource["text"])
    if kind == "resource_link":
        return f"[a link: {part.get('name', '')} {part.get('uri', '')}]"
    return f"[{kind[:40]}, which is not shown]"
