"""A server that is reached over HTTP, through the same guarded client as the tools for HTTP.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from runners.policy.refused import Refused
from runners.tools.backends.http import Address, HttpAccess, Response, is_public
from runners.tools.mcp.session import MAX_BYTES, McpFailed, RpcMessage


def may_be_private(address: Address) -> bool:
    """Return whether an address is public or private; link-local ones, where clouds keep credentials, are
    not.
    """
    hidden = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return is_public(address) or (
        (address.is_private or address.is_loopback)
        and not address.is_link_local
        and not address.is_unspecified
        and not address.is_multicast
        and not (hidden is not None and not may_be_private(hidden))
    )


class HttpServer:
    """Talks to the server at `url`, with the operator's own `headers`. With `private`, its address may be
    private.
    """

    def __init__(self, access: HttpAccess, url: str, headers: Mapping[str, str], *, private: bool) -> None:
        self._access = replace(access, max_bytes=MAX_BYTES)
        if private:
            self._access = replace(self._access, allowed=may_be_private)
        self._url = url
        self._own = headers
        self._more: dict[str, str] = {}

    def exchange(self, message: RpcMessage, seconds: float) -> Iterator[RpcMessage]:
        """Send a request and yield what the answer holds. Raises `McpFailed`."""
        answer = self._post(message, seconds)
        if (session := answer.headers.get("mcp-session-id")) is not None:
            self._more["Mcp-Session-Id"] = session
        if answer.status >= 400:
            raise McpFailed(f"answered with status {answer.status}")
        if answer.truncated:
            raise McpFailed("sent more than one answer may hold")
        yield from _messages(answer)

    def tell(self, message: RpcMessage, seconds: float) -> None:
        """Send a message that has no answer. Raises `McpFailed`."""
        if (answer := self._post(message, seconds)).status >= 400:
            raise McpFailed(f"answered with status {answer.status}")

    def revision(self, agreed: str) -> None:
        """Send the revision with each further request."""
        self._more["MCP-Protocol-Version"] = agreed

    def close(self) -> None:
        """Do nothing: servers end sessions that are not used."""

    def _post(self, message: RpcMessage, seconds: float) -> Response:
        access = replace(self._access, seconds=max(0.001, seconds))
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            **self._more,
        }
        body = json.dumps(message).encode()
        try:
            return access.ask("POST", self._url, headers, body, lambda _host: None, own=self._own)
        except Refused as error:
            raise McpFailed(f"cannot be used: {str(error).rstrip('.')}") from None


def _messages(answer: Response) -> Iterator[RpcMessage]:
    """Yield the messages of an answer: one as JSON, or several as events.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """
    texts = [answer.text]
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        events = answer.text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
        texts = [
            "\n".join(line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:"))
            for event in events
        ]
    for text in texts:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict):
            yield message
