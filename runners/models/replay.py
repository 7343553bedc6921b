"""Replays the replies of a recorded run: its log, one JSON event a line."""

import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gherkin.errors import ScenaristError
from runners.events import ModelReplied
from runners.models.chat import Message, Reply, ToolSchema


class RecordingInvalid(ScenaristError):
    """The file is not a run's log, or has no model replies."""

    code = "SCN-4003"
    next_step = "Give a file written by `scenarist log RUN --json`."


class ReplayDiverged(ScenaristError):
    """The conversation is not the recorded one any more."""

    code = "SCN-4004"
    next_step = "Record the run again with a real model, or replay it on the commit it was recorded on."


class ReplayModel:
    """Gives a recorded run's replies, one a turn.

    Which one is due follows from the conversation alone: a resumed run goes on where it stopped.
    """

    name = "replay"

    def __init__(self, replies: Iterable[ModelReplied]) -> None:
        recorded = list(replies)
        self._specify = [event.reply for event in recorded if event.phase == "specify"]
        self._implement = [event.reply for event in recorded if event.phase == "implement"]

    @classmethod
    def from_file(cls, path: Path) -> "ReplayModel":
        """Read a run's log (JSON lines). Raises `RecordingInvalid`."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            entries = [json.loads(line) for line in lines if line.strip()]
            events = [entry.get("event", entry) for entry in entries]
            replies = [
                ModelReplied.model_validate(event) for event in events if event.get("type") == "ModelReplied"
            ]
        except (OSError, ValueError, AttributeError) as error:
            raise RecordingInvalid(
                f"{path.name} cannot be read as a run's log ({type(error).__name__})."
            ) from None
        if not replies:
            raise RecordingInvalid(f"{path.name} holds no model replies.")
        return cls(replies)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema] = (),
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 8192,
        cancel: threading.Event | None = None,
    ) -> Reply:
        """The recorded reply that is due. Raises `ReplayDiverged` when the recording has none."""
        turns = [message for message in messages if message.role == "assistant"]
        recorded = self._implement if schema is None else self._specify
        if len(turns) >= len(recorded):
            raise ReplayDiverged(
                f"The recording ends after {len(recorded)} replies and one more is asked for."
            )
        for number, (said, expected) in enumerate(zip(turns, recorded, strict=False), start=1):
            if said.tool_calls != expected.tool_calls:
                raise ReplayDiverged(f"Reply {number} of the conversation is not the recorded one.")
        offered = {tool.name for tool in tools}
        due = recorded[len(turns)]
        unknown = [call.name for call in due.tool_calls if call.name not in offered]
        if unknown:
            raise ReplayDiverged(f"The recorded reply calls {unknown[0]}, which is not offered now.")
        return due
