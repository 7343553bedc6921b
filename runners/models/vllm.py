"""vLLM, or any other server with OpenAI's chat completions API, through the `openai` SDK.

https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx2

from runners.models.cancel import Request
from runners.models.chat import (
    Choice,
    Message,
    ModelUnavailable,
    Reply,
    TokenUsage,
    ToolCall,
    ToolSchema,
    refused,
)

if TYPE_CHECKING:
    import openai

_STOPS = {
    "stop": "end",
    "tool_calls": "tools",
    "function_call": "tools",
    "length": "length",
    "content_filter": "refusal",
}


@lru_cache(maxsize=16)
def client_of(url: str, api_key: str) -> "openai.OpenAI":
    """Return the client of a server, the same one for the whole process.

    A client loads its own certificates, which takes megabytes and milliseconds.
    """
    import openai

    return openai.OpenAI(base_url=url, api_key=api_key or "none", max_retries=4)


def preload() -> None:
    """Import what the SDK imports with its first request, so that forked processes share it."""
    import jiter  # noqa: F401
    import openai._streaming
    from openai.types.chat import ChatCompletionChunk

    client = openai.OpenAI(base_url="http://127.0.0.1", api_key="none")
    _ = client.chat.completions, client.models
    ChatCompletionChunk.model_rebuild()


class VllmModel:
    """Chat with native tool calls. It streams, so that a dead server is noticed after `idle_s` seconds."""

    def __init__(
        self, url: str, model: str, *, api_key: str = "", idle_s: float = 120, temperature: float = 0.2
    ) -> None:
        import openai  # takes most of a second to import, and only the runner needs it

        self.name = model
        self._temperature = temperature
        self._openai = openai
        self._client = client_of(url, api_key).with_options(timeout=idle_s)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema] = (),
        *,
        schema: dict[str, Any] | None = None,
        choice: Choice = "auto",
        max_tokens: int = 8192,
        cancel: threading.Event | None = None,
    ) -> Reply:
        """See `ChatModel.reply`."""
        request: dict[str, Any] = {
            "messages": [_message(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": self._temperature,
            "stream_options": {"include_usage": True},
        }
        if tools:
            request["tools"] = [_tool(tool) for tool in tools]
            if choice != "auto":
                request["tool_choice"] = choice
        if schema is not None:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema, "strict": True},
            }
        return Request(lambda under_way: self._ask(request, under_way)).run(cancel)

    def _ask(self, request: dict[str, Any], under_way: Request[Reply]) -> Reply:
        try:
            # Passed as `extra_body`, because the SDK takes milliseconds to convert each typed message.
            completions = self._client.chat.completions
            with completions.create(model=self.name, messages=[], stream=True, extra_body=request) as stream:
                under_way.opened(stream.response)
                return self._collect(stream)
        except self._openai.APIStatusError as error:
            if error.status_code >= 500 or error.status_code in (408, 409, 429):
                raise ModelUnavailable(f"The model server kept answering {error.status_code}.") from None
            raise refused("The model server", error.status_code, _reason(error.body)) from None
        except (self._openai.APIError, httpx2.HTTPError, ValueError) as error:
            # A broken stream raises the transport's own error, and an answer that is not JSON a ValueError.
            raise ModelUnavailable(
                f"The model server could not be reached ({type(error).__name__})."
            ) from None

    def _collect(self, stream: Any) -> Reply:
        text: list[str] = []
        reasoning: list[str] = []
        calls: dict[int, dict[str, str]] = {}
        usage = TokenUsage()
        stop: str | None = None
        for chunk in stream:
            if chunk.usage is not None:
                details = chunk.usage.prompt_tokens_details
                usage = TokenUsage(
                    prompt_tokens=chunk.usage.prompt_tokens,
                    completion_tokens=chunk.usage.completion_tokens,
                    cached_tokens=(details.cached_tokens or 0) if details else 0,
                )
            for choice in chunk.choices:
                delta = choice.delta
                text.append(delta.content or "")
                extra = delta.model_extra or {}
                reasoning.append(extra.get("reasoning_content") or extra.get("reasoning") or "")
                for part in delta.tool_calls or ():
                    call = calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
                    call["id"] = part.id or call["id"]
                    if part.function:
                        call["name"] += part.function.name or ""
                        call["arguments"] += part.function.arguments or ""
                stop = choice.finish_reason or stop
        if stop is None:
            raise ModelUnavailable("The model server ended its answer in the middle.")
        tool_calls = tuple(
            ToolCall(id=call["id"] or f"call-{index}", name=call["name"], arguments=call["arguments"])
            for index, call in sorted(calls.items())
        )
        ended = _STOPS.get(stop, "end")
        return Reply.model_validate(
            {
                "text": "".join(text),
                "reasoning": "".join(reasoning),
                "tool_calls": tool_calls,
                "usage": usage,
                # Some parsers report `stop` although there are calls.
                "stop": "tools" if tool_calls and ended == "end" else ended,
                "model": self.name,
            }
        )


def _message(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out


def _tool(tool: ToolSchema) -> dict[str, Any]:
    # Without `strict` vLLM does not hold the arguments to the schema.
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": True,
    }
    return {"type": "function", "function": function}


def _reason(body: object) -> str:
    if isinstance(body, dict):
        found = body.get("message") or body.get("error") or body.get("detail")
        if found:
            return str(found)[:300].rstrip(".")
    return "no reason given"
