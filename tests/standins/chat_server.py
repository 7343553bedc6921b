"""A stand-in for a model server: OpenAI's chat completions over a real socket, streaming as vLLM does.

It plays turns it was given and is strict about the protocol: unknown request fields, roles out of order and
tool results that answer no call are refused with 400, as servers and chat templates do.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from runners.loop.agent import CHECK
from runners.models.chat import Reply, ToolCall
from runners.models.probe import PROBE
from runners.phases.threads import UNANSWERED
from tests.standins.serving import LoopbackServer, QuietHandler

_FIELDS = {
    "model",
    "messages",
    "max_tokens",
    "temperature",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "response_format",
}

Turn = Reply | Callable[[dict[str, Any]], Reply | str]


def call(name: str, **arguments: Any) -> ToolCall:
    """A tool call with JSON arguments and an id that follows from its content."""
    text = json.dumps(arguments)
    return ToolCall(id=f"call_{zlib.crc32(f'{name} {text}'.encode()):08x}", name=name, arguments=text)


def recorded_turns(path: Path) -> dict[str, list[Reply]]:
    """The replies of a run's log by phase."""
    turns: dict[str, list[Reply]] = {"specify": [], "implement": [], "examples": []}
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)["event"]
        if event["type"] == "ModelReplied":
            turns.setdefault(event["phase"], []).append(Reply.model_validate(event["reply"]))
    return turns


class ChatServer(LoopbackServer):
    """Serves `specify` turns to requests with a schema and `implement` turns to the others.

    Which turn is due follows from the conversation (its assistant messages), as with a real model, which
    remembers nothing between requests. A turn may be a function of the request, which may say what is wrong
    with it; one function instead of a list answers all.
    """

    def __init__(
        self, specify: Sequence[Turn], implement: Sequence[Turn] | Callable[[dict[str, Any]], Reply | str]
    ) -> None:
        self.specify = list(specify)
        # What a request for held-out examples is answered.
        self.examples: Turn = Reply(text='{"examples": []}')
        # What a request for the new behaviour in a review is answered.
        self.remarks: Turn = Reply(text='{"remarks": []}')
        # What a request for scores by a rubric is answered.
        self.critique: Turn = Reply(text="no scores")
        # What a role with MCP tools alone calls with them, before it answers.
        self.lookups: list[Turn] = []
        # What a navigator of a pair is answered with.
        self.pair: Turn = Reply(text="no step")
        self.always = implement if callable(implement) else None
        self.implement = [] if callable(implement) else list(implement)
        self.requests: list[dict[str, Any]] = []
        self.probes = 0
        self.context_length = 0
        self.most_characters = 0
        super().__init__(self._handler())

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def answer(self, request: dict[str, Any]) -> Reply | str:
        """The reply that is due, or what is wrong with the request."""
        problem = _problem(request)
        if problem:
            return problem
        probed = _probed(request)
        if probed is not None:
            self.probes += 1
            return probed
        size = sum(len(message["content"]) for message in request["messages"])
        if 0 < self.most_characters < size:
            return f"This model's maximum context length is {self.most_characters} tokens."
        self.requests.append(request)
        if self.always is not None and "response_format" not in request:
            return self.always(request)
        if '"examples"' in json.dumps(request.get("response_format", {})):
            return self.examples(request) if callable(self.examples) else self.examples
        if '"remarks"' in json.dumps(request.get("response_format", {})):
            return self.remarks(request) if callable(self.remarks) else self.remarks
        if '"simplicity"' in json.dumps(request.get("response_format", {})):
            return self.critique(request) if callable(self.critique) else self.critique
        if '"approve"' in json.dumps(request.get("response_format", {})):
            return self.pair(request) if callable(self.pair) else self.pair
        roles = [message["role"] for message in request["messages"]]
        names = [tool["function"]["name"] for tool in request.get("tools", ())]
        if names and all(name.startswith("mcp_") for name in names):
            due = self.lookups[roles.count("assistant") :]
            turn = due[0] if due else Reply(text="Nothing more.")
            return turn(request) if callable(turn) else turn
        turns = self.specify if "response_format" in request else self.implement
        # A model that is asked to look over its work, or for answers, says once more that it is done.
        checked = sum(
            message["role"] == "tool" and message["content"].startswith((CHECK, UNANSWERED))
            for message in request["messages"]
        )
        number = roles.count("assistant") - (checked if "response_format" not in request else 0)
        if number >= len(turns):
            return f"the script has {len(turns)} turns and turn {number + 1} is asked for"
        turn = turns[number]
        return turn(request) if callable(turn) else turn

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                if self.path == "/v1/models":
                    card: dict[str, Any] = {"id": "scripted", "object": "model"}
                    if owner.context_length:
                        card["max_model_len"] = owner.context_length
                    self._json(200, {"object": "list", "data": [card]})
                else:
                    self._json(404, {"error": {"message": "no such path"}})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path != "/v1/chat/completions":
                    self._json(404, {"error": {"message": "no such path"}})
                    return
                answer = owner.answer(json.loads(body))
                if isinstance(answer, str):
                    self._json(400, {"error": {"message": answer, "type": "BadRequestError"}})
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for chunk in chat_chunks(answer):
                    data = f"data: {json.dumps(chunk)}\n\n".encode()
                    self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                end = b"data: [DONE]\n\n"
                self.wfile.write(f"{len(end):x}\r\n".encode() + end + b"\r\n0\r\n\r\n")

            def _json(self, status: int, data: dict[str, Any]) -> None:
                body = json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def _probed(request: dict[str, Any]) -> Reply | None:
    """The answer to what the bot asks a server to find out what it can do, as a capable one gives it."""
    asked = request["messages"][-1]["content"]
    if any(tool["function"]["name"] == PROBE for tool in request.get("tools", ())):
        words = ["marigold", "tulip"] if "twice" in asked else ["marigold"]
        return Reply(tool_calls=tuple(call(PROBE, word=word) for word in words), stop="tools")
    if "response_format" in request and "how many letters" in asked:
        return Reply(text='{"word": "marigold", "letters": 8}')
    return None


def _problem(request: dict[str, Any]) -> str | None:
    unknown = set(request) - _FIELDS
    if unknown:
        return f"unknown fields: {sorted(unknown)}"
    if not request.get("stream"):
        return "this server only streams"
    open_calls: set[str] = set()
    for message in request["messages"]:
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in open_calls:
                return "a tool result answers no call"
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            return f"tool calls without a result: {sorted(open_calls)}"
        if role == "assistant":
            open_calls = {item["id"] for item in message.get("tool_calls", ())}
    return None if not open_calls else "the last tool calls have no result"


def chat_chunks(reply: Reply) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    yield chunk({"role": "assistant", "content": ""})
    for start in range(0, len(reply.text), 40):
        yield chunk({"content": reply.text[start : start + 40]})
    for index, item in enumerate(reply.tool_calls):
        head = {"index": index, "id": item.id, "type": "function"}
        yield chunk({"tool_calls": [{**head, "function": {"name": item.name, "arguments": ""}}]})
        for start in range(0, len(item.arguments), 30):
            part = {"index": index, "function": {"arguments": item.arguments[start : start + 30]}}
            yield chunk({"tool_calls": [part]})
    stops = {"end": "stop", "tools": "tool_calls", "length": "length", "refusal": "content_filter"}
    yield chunk({}, "tool_calls" if reply.tool_calls else stops[reply.stop])
    usage = reply.usage
    yield {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        },
    }
