"""Tools for HTTP requests to the servers that the repository's policy names."""

import contextlib
import json
from typing import Any

from pydantic import Field

from runners.tools.backends.http import HttpAccess, Response, host_of
from runners.tools.base import Arguments, Denied, ToolContext, ToolResult, tool


class Read(Arguments):
    url: str = Field(description="An http or https URL. The repository must allow its host.")
    headers: dict[str, str] = Field(
        default={},
        description="Request headers, such as Accept. Credentials and connection headers are refused.",
    )


class Send(Read):
    body: str = Field(default="", max_length=200_000, description="The body of the request.")
    content_type: str = Field(default="application/json", description="The media type of the body.")


def _host(args: Read) -> str:
    return host_of(args.url)


@tool("http.get", writes=False, resource=_host)
def http_get(ctx: ToolContext, args: Read) -> ToolResult:
    """Send an HTTP GET request. Returns status, content type and body. Follows redirects to allowed hosts."""
    return _ask(ctx, "GET", args)


@tool("http.head", writes=False, resource=_host)
def http_head(ctx: ToolContext, args: Read) -> ToolResult:
    """Send an HTTP HEAD request. Returns status, content type and location."""
    return _ask(ctx, "HEAD", args)


@tool("http.post", writes=True, resource=_host)
def http_post(ctx: ToolContext, args: Send) -> ToolResult:
    """Send an HTTP POST request. Returns status, content type and body."""
    return _ask(ctx, "POST", args)


@tool("http.put", writes=True, resource=_host)
def http_put(ctx: ToolContext, args: Send) -> ToolResult:
    """Send an HTTP PUT request. Returns status, content type and body."""
    return _ask(ctx, "PUT", args)


@tool("http.patch", writes=True, resource=_host)
def http_patch(ctx: ToolContext, args: Send) -> ToolResult:
    """Send an HTTP PATCH request. Returns status, content type and body."""
    return _ask(ctx, "PATCH", args)


@tool("http.delete", writes=True, resource=_host)
def http_delete(ctx: ToolContext, args: Read) -> ToolResult:
    """Send an HTTP DELETE request. Returns status, content type and body."""
    return _ask(ctx, "DELETE", args)


def _ask(ctx: ToolContext, method: str, args: Read) -> ToolResult:
    def check(host: str) -> None:
        refusal = ctx.policy.refusal(f"http.{method.lower()}", host)
        if refusal is not None:
            raise Denied(refusal)

    body, headers = b"", dict(args.headers)
    if isinstance(args, Send) and args.body:
        body, headers["Content-Type"] = args.body.encode(errors="replace"), args.content_type
    answer = ctx.resource(HttpAccess).ask(method, args.url, headers, body, check)
    return ToolResult(ok=answer.status < 400, text=_told(answer), data=_data(answer))


def _told(answer: Response) -> str:
    shown = [f"{answer.status} {answer.reason} from {answer.url}"]
    shown += [
        f"{name}: {answer.headers[name]}" for name in ("content-type", "location") if name in answer.headers
    ]
    text = answer.text
    if "json" in answer.headers.get("content-type", ""):
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    shown += ["", text] if text else []
    return "\n".join(shown) + ("\n[… the answer is cut here …]" if answer.truncated else "")


def _data(answer: Response) -> dict[str, Any]:
    return {"status": answer.status, "url": answer.url, "address": answer.address, "bytes": len(answer.text)}
