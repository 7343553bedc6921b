"""Replay the replies of a recorded run. A recording is a run's log with one JSON event a line."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from gherkin.errors import ScenaristError
from runners.models.chat import Choice, Message, Reply, ToolSchema
from runners.policy.plaintext import one_line

_SHOWN = 120


class RecordingInvalid(ScenaristError):
    """The file is not a run's log, or has no model replies."""

    code = "SCN-4003"
    next_step = "Give a file written by `scenarist log RUN --json`."


class ReplayDiverged(ScenaristError):
    """The conversation differs from the recorded one."""

    code = "SCN-4004"
    next_step = "Record the run again with a real model, or replay it on the commit it was recorded on."


class RecordedReply(Protocol):
    """A reply, and the phase that asked for it."""

    @property
    def phase(self) -> str: ...
    @property
    def reply(self) -> Reply: ...


class _LoggedReply(BaseModel):
    """The part of a logged `ModelReplied` that is replayed."""

    phase: str
    reply: Reply


class ReplayModel:
    """Gives a recorded run's replies, one a turn.

    The conversation's length decides which reply is next, so a resumed run continues where it stopped.
    """

    name = "replay"

    def __init__(self, replies: Iterable[RecordedReply], results: Mapping[str, str] | None = None) -> None:
        """`results` maps ids of calls to their recorded results, with which a divergence is explained."""
        recorded = list(replies)
        self._specify = [event.reply for event in recorded if event.phase == "specify"]
        self._implement = [event.reply for event in recorded if event.phase == "implement"]
        self._examples = [event.reply for event in recorded if event.phase == "examples"]
        self._remarks = [event.reply for event in recorded if event.phase == "remarks"]
        self._results = dict(results or {})

    @classmethod
    def from_file(cls, path: Path) -> "ReplayModel":
        """Read a run's log (JSON lines). Raises `RecordingInvalid`."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            entries = [json.loads(line) for line in lines if line.strip()]
            events = [entry.get("event", entry) for entry in entries]
            replies = [
                _LoggedReply.model_validate(event) for event in events if event.get("type") == "ModelReplied"
            ]
            results = {
                event["call"]["id"]: event["text"] for event in events if event.get("type") == "ToolCalled"
            }
        except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
            raise RecordingInvalid(
                f"{path.name} cannot be read as a run's log ({type(error).__name__})."
            ) from None
        if not replies:
            raise RecordingInvalid(f"{path.name} holds no model replies.")
        return cls(replies, results)

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
        """Return the next recorded reply. Raises `ReplayDiverged` if the recording has none that fits."""
        if schema is not None and "examples" in schema.get("properties", {}):
            # A recording without held-out examples is replayed without them.
            return self._examples[0] if self._examples else Reply(text='{"examples": []}')
        if schema is not None and "remarks" in schema.get("properties", {}):
            return self._remarks[0] if self._remarks else Reply(text='{"remarks": []}')
        turns = [message for message in messages if message.role == "assistant"]
        recorded = self._implement if schema is None else self._specify
        if len(turns) >= len(recorded):
            raise ReplayDiverged(
                f"The recording ends after {len(recorded)} replies, but the run needs one more."
                f"{self._difference(messages)}"
            )
        for number, (said, expected) in enumerate(zip(turns, recorded, strict=False), start=1):
            if said.tool_calls != expected.tool_calls:
                raise ReplayDiverged(
                    f"Reply {number} of the conversation is not the recorded one.{self._difference(messages)}"
                )
        offered = {tool.name for tool in tools}
        due = recorded[len(turns)]
        unknown = [call.name for call in due.tool_calls if call.name not in offered]
        if unknown:
            raise ReplayDiverged(
                f"The recorded reply calls the tool {unknown[0]}, which the run does not offer."
                f"{self._difference(messages)}"
            )
        return due

    def _difference(self, messages: Sequence[Message]) -> str:
        """Return a sentence on the first result that differs from the recorded one; empty if none does."""
        names = {call.id: call.name for message in messages for call in message.tool_calls}
        for message in messages:
            recorded = self._results.get(message.tool_call_id or "", message.text)
            if message.role != "tool" or recorded == message.text:
                continue
            pairs = zip_longest(recorded.splitlines(), message.text.splitlines(), fillvalue="(nothing)")
            for line, (was, now) in enumerate(pairs, start=1):
                if was != now:
                    name = names.get(message.tool_call_id or "", "a call")
                    return (
                        f" First difference: line {line} of the result of {name} was "
                        f"{one_line(was)[:_SHOWN]!r} and is now "
                        f"{one_line(now)[:_SHOWN]!r}."
                    )
        return ""
