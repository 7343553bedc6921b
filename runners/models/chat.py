"""The `ChatModel` protocol, and messages that belong to no provider."""

import threading
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from pydantic import Field

from gherkin.errors import ScenaristError
from gherkin.values import Frozen, StorableText


class ToolCall(Frozen):
    """One call a model asked for. `arguments` is the raw JSON text as the model wrote it."""

    id: StorableText
    name: StorableText
    arguments: StorableText


class Message(Frozen):
    """One entry of a conversation.

    Only assistant messages have `tool_calls`; only tool messages have a `tool_call_id`.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class ToolSchema(Frozen):
    """What a model is told about one tool; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any]


class TokenUsage(Frozen):
    """Token counts of one reply, as the server reports them; `cached_tokens` is part of `prompt_tokens`."""

    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)


class Reply(Frozen):
    """A model's answer: text, tool calls, or both.

    `stop` is ``end`` (finished), ``tools`` (wants tool results), ``length`` (cut off by a token
    limit) or ``refusal``.
    """

    text: StorableText = ""
    reasoning: StorableText = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: TokenUsage = TokenUsage()
    stop: Literal["end", "tools", "length", "refusal"] = "end"
    model: str = ""


Choice = Literal["auto", "required"]


class ChatModel(Protocol):
    """A model that answers conversations. Implementations use streaming and keep no conversation."""

    name: str

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
        """Answer `messages`.

        With `schema` (a JSON Schema object) the server is told to make the reply's text JSON of this schema.
        With `choice` ``required`` the server is told to make the model call a tool; not all servers can.
        `max_tokens` bounds the reply. Raises `ModelUnavailable` when the server cannot be reached or keeps
        failing after retries, `ModelRefusedRequest` when it rejects the request, and `Cancelled` soon after
        `cancel` is set; the connection is closed then, so that the server stops too.
        """
        ...


class ModelUnavailable(ScenaristError):
    """The model's server did not answer, or kept failing."""

    code = "SCN-4001"
    next_step = "Check that the model server is up and reachable from the runner, then retry the run."


class ModelRefusedRequest(ScenaristError):
    """The model's server rejected the request (HTTP 4xx)."""

    code = "SCN-4002"
    next_step = "Check the model's name, key, context length and tool parser in the settings of the runner."


class ContextTooLong(ModelRefusedRequest):
    """The conversation is longer than the model can take."""

    code = "SCN-4006"
    next_step = "Serve the model with a longer context, or make the issue smaller."


def refused(server: str, status: int, reason: str) -> ModelRefusedRequest:
    """Return the error for a request that `server` refused with `status` and the message `reason`."""
    said = reason.lower()
    kind = ContextTooLong if any(mark in said for mark in _TOO_LONG) else ModelRefusedRequest
    return kind(f"{server} refused the request ({status}): {reason}.")


# Messages of vLLM, llama.cpp, OpenAI, SGLang and Anthropic about a conversation that is too long.
_TOO_LONG = (
    "context length",
    "context size",
    "context window",
    "prompt is too long",
    "longer than the model",
    "max_model_len",
)
