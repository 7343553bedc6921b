"""Anthropic's Messages API through its SDK. https://docs.anthropic.com/en/api/messages"""

import json
import threading
from collections.abc import Sequence
from typing import Any

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

_STOPS = {
    "end_turn": "end",
    "stop_sequence": "end",
    "pause_turn": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
_ANSWER = "answer"


class AnthropicModel:
    """Chat with native tool use. For an answer by a schema, the model must call a tool with this schema."""

    def __init__(self, model: str, *, api_key: str, url: str | None = None, idle_s: float = 120) -> None:
        import anthropic  # takes 1.4 s to import, and only the runner needs it

        self.name = model
        self._anthropic = anthropic
        self._client = anthropic.Anthropic(api_key=api_key, base_url=url, max_retries=4, timeout=idle_s)

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
            "model": self.name,
            "max_tokens": max_tokens,
            "system": "\n\n".join(message.text for message in messages if message.role == "system"),
            "messages": _conversation(messages),
            "cache_control": {"type": "ephemeral"},
        }
        offered = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in tools
        ]
        if offered and choice == "required":
            request["tool_choice"] = {"type": "any"}
        if schema is not None:
            offered = [{"name": _ANSWER, "description": "Give your answer.", "input_schema": schema}]
            request["tool_choice"] = {"type": "tool", "name": _ANSWER}
        if offered:
            request["tools"] = offered
        forced = schema is not None
        return Request(lambda under_way: self._ask(request, under_way, forced=forced)).run(cancel)

    def _ask(self, request: dict[str, Any], under_way: Request[Reply], *, forced: bool) -> Reply:
        try:
            with self._client.messages.stream(**request) as stream:
                under_way.opened(stream.response)
                if not any(event.type == "message_stop" for event in stream):
                    raise ModelUnavailable("Anthropic's API ended its answer in the middle.")
                return _reply(stream.get_final_message(), self.name, forced=forced)
        except self._anthropic.APIStatusError as error:
            if error.status_code < 400:  # an error in the middle of a stream has the stream's status
                raise ModelUnavailable("Anthropic's API ended its answer with an error.") from None
            if error.status_code >= 500 or error.status_code in (408, 409, 429):
                raise ModelUnavailable(f"Anthropic's API kept answering {error.status_code}.") from None
            raise refused("Anthropic's API", error.status_code, error.message[:300]) from None
        except (self._anthropic.APIError, httpx2.HTTPError, ValueError) as error:
            raise ModelUnavailable(
                f"Anthropic's API could not be reached ({type(error).__name__})."
            ) from None


def _conversation(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the conversation as alternating user and assistant turns; tool results are in user turns."""
    out: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if out and out[-1]["role"] == role:
            out[-1]["content"].extend(blocks)
        else:
            out.append({"role": role, "content": blocks})
    return out


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.text}]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    for call in message.tool_calls:
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            arguments = {}
        blocks.append(
            {
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": arguments if isinstance(arguments, dict) else {},
            }
        )
    # The API refuses an empty turn.
    return blocks or [{"type": "text", "text": "(nothing)"}]


def _reply(answer: Any, model: str, *, forced: bool) -> Reply:
    text = "".join(block.text for block in answer.content if block.type == "text")
    calls = tuple(
        ToolCall(id=block.id, name=block.name, arguments=json.dumps(block.input))
        for block in answer.content
        if block.type == "tool_use"
    )
    if forced and calls:
        text, calls = calls[0].arguments, ()
    usage = answer.usage
    cached = usage.cache_read_input_tokens or 0
    stop = _STOPS.get(answer.stop_reason or "", "end")
    return Reply.model_validate(
        {
            "text": text,
            "tool_calls": calls,
            "usage": TokenUsage(
                prompt_tokens=usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
                completion_tokens=usage.output_tokens,
                cached_tokens=cached,
            ),
            "stop": "end" if forced and stop == "tools" else stop,
            "model": model,
        }
    )
