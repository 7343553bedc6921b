"""One request to a model as an event: the answer, the seconds it took and its cost, with secrets removed."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from runners.contract.events import ModelPhase, ModelReplied
from runners.models.chat import Choice, Message, Reply, ToolSchema
from runners.models.json_answers import form_of
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

    With `max_tokens` 0 the engine's own limit applies. With `schema` the prompt describes the form of the
    answer, and the server is asked to enforce it, unless the probe found that this server cannot. Raises what
    `ChatModel.reply` raises.
    """
    started = time.monotonic()
    if schema is not None:
        messages = with_form(messages, schema)
    enforced = engine.profile is None or engine.profile.schema_output
    reply = engine.model.reply(
        messages,
        tools,
        schema=schema if enforced else None,
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


def with_form(messages: Sequence[Message], schema: dict[str, Any]) -> list[Message]:
    """Return `messages` with the form of the answer at the end of the first one, the instructions."""
    form = f"Answer with one JSON object of this form, and nothing else:\n{form_of(schema)}\n"
    first = messages[0].model_copy(update={"text": f"{messages[0].text.rstrip()}\n\n{form}"})
    return [first, *messages[1:]]


def _without_secrets(reply: Reply, redactor: Redactor) -> Reply:
    """Return `reply` with the secrets of this process removed."""
    if not redactor.values:
        return reply
    known = redactor.known
    calls = tuple(call.model_copy(update={"arguments": known(call.arguments)}) for call in reply.tool_calls)
    return reply.model_copy(
        update={"text": known(reply.text), "reasoning": known(reply.reasoning), "tool_calls": calls}
    )
