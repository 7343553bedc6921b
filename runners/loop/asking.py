"""One request to a model as an event: the answer, the seconds it took and its cost, with secrets removed."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from runners.contract.events import ModelPhase, ModelReplied
from runners.models.chat import Choice, Message, Reply, ToolSchema
from runners.models.roster import Engine
from runners.policy.redact import Redactor


def ask(
    engine: Engine,
    phase: ModelPhase,
    messages: Sequence[Message],
    *,
    tools: Sequence[ToolSchema] = (),
    schema: dict[str, Any] | None = None,
    choice: Choice = "auto",
    max_tokens: int = 0,
    cancel: threading.Event | None = None,
    redactor: Redactor | None = None,
) -> ModelReplied:
    """Ask the model and return its answer as an event that is not logged yet.

    With `max_tokens` 0 the engine's own limit holds. Raises what `ChatModel.reply` raises.
    """
    started = time.monotonic()
    reply = engine.model.reply(
        messages,
        tools,
        schema=schema,
        choice=choice,
        max_tokens=min(max_tokens or engine.max_tokens, engine.max_tokens),
        cancel=cancel,
    )
    return ModelReplied(
        phase=phase,
        reply=_without_secrets(reply, redactor or Redactor()),
        seconds=round(time.monotonic() - started, 3),
        runtime=engine.runtime,
        cost=engine.prices.cost(reply.usage),
    )


def _without_secrets(reply: Reply, redactor: Redactor) -> Reply:
    """Return `reply` with the secrets of this process removed."""
    if not redactor.values:
        return reply
    known = redactor.known
    calls = tuple(call.model_copy(update={"arguments": known(call.arguments)}) for call in reply.tool_calls)
    return reply.model_copy(
        update={"text": known(reply.text), "reasoning": known(reply.reasoning), "tool_calls": calls}
    )
