"""A stand-in for Anthropic's Messages API over a real socket, streaming; it refuses what the API refuses.

https://docs.anthropic.com/en/api/messages-streaming
"""

import json
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

from runners.models.chat import Reply
from tests.standins.serving import LoopbackServer, QuietHandler

_FIELDS = {"model", "max_tokens", "system", "messages", "tools", "tool_choice", "stream", "cache_control"}


class MessagesServer(LoopbackServer):
    """Answers request number n with ``turns[n]``; an int in `turns` is an error status instead."""

    def __init__(self, turns: Sequence[Reply | int], key: str = "sk-test") -> None:
        self.turns = list(turns)
        self.key = key
        self.requests: list[dict[str, Any]] = []
        self._asked = 0
        super().__init__(self._handler())

    @property
    def url(self) -> str:
        return self.root

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.0"  # a stream ends with its connection

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                problem = None if self.path == "/v1/messages" else "no such path"
                # The SDK's second generation sends the key as a bearer token.
                bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if owner.key not in (bearer, self.headers.get("x-api-key")):
                    self._error(401, "authentication_error", "invalid x-api-key")
                    return
                problem = problem or _problem(body)
                if problem:
                    self._error(400, "invalid_request_error", problem)
                    return
                turn = owner.turns[owner._asked]
                owner._asked += 1
                if isinstance(turn, int):
                    self._error(turn, "overloaded_error", "Overloaded")
                    return
                owner.requests.append(body)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for event in message_events(turn, body):
                    self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

            def _error(self, status: int, kind: str, message: str) -> None:
                data = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("retry-after", "0")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        return Handler


def _problem(body: dict[str, Any]) -> str | None:
    unknown = set(body) - _FIELDS
    if unknown:
        return f"{sorted(unknown)[0]}: Extra inputs are not permitted"
    if not body.get("stream"):
        return "this server only streams"
    messages = body["messages"]
    if not messages or messages[0]["role"] != "user":
        return "messages: first message must use the user role"
    called: set[str] = set()
    for number, message in enumerate(messages):
        if number and message["role"] == messages[number - 1]["role"]:
            return "messages: roles must alternate"
        results = {block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"}
        if called != results and called:
            return "messages: tool_use ids were found without tool_result blocks immediately after"
        if any(block["type"] == "text" and not block["text"] for block in message["content"]):
            return "messages: text content blocks must be non-empty"
        called = {block["id"] for block in message["content"] if block["type"] == "tool_use"}
    return "messages: tool_use ids were found without tool_result blocks" if called else None


def message_events(reply: Reply, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    usage = {
        "input_tokens": reply.usage.prompt_tokens - reply.usage.cached_tokens,
        "cache_read_input_tokens": reply.usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
    }
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield {"type": "message_start", "message": message}
    index = 0
    if reply.text:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": reply.text}}
        yield {"type": "content_block_stop", "index": 0}
        index = 1
    for number, made in enumerate(reply.tool_calls, start=index):
        block = {"type": "tool_use", "id": made.id, "name": made.name, "input": {}}
        yield {"type": "content_block_start", "index": number, "content_block": block}
        for start in range(0, len(made.arguments), 10):
            part = {"type": "input_json_delta", "partial_json": made.arguments[start : start + 10]}
            yield {"type": "content_block_delta", "index": number, "delta": part}
        yield {"type": "content_block_stop", "index": number}
    stops = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refusal": "refusal"}
    stop = "tool_use" if reply.tool_calls else stops[reply.stop]
    output = {"output_tokens": reply.usage.completion_tokens}
    yield {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": output}
    yield {"type": "message_stop"}
