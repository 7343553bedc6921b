"""Ask a model to summarise the older part of its work before that part is removed from the conversation."""

import secrets
import threading
from collections.abc import Sequence
from typing import Any

from gherkin.errors import ScenaristError
from runners.contract.events import ModelReplied
from runners.loop.asking import ask
from runners.loop.prompting import summary_prompt
from runners.models.chat import Message
from runners.models.json_answers import read_json
from runners.models.roster import Engine
from runners.models.xml import as_text
from runners.policy.redact import Redactor

_MAX_TOKENS = 2000
_MAX_TEXT = 8000

SUMMARY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "done": {"type": "string", "description": "What was changed, file by file."},
        "found": {"type": "string", "description": "What was learned that is still needed."},
        "tried": {"type": "string", "description": "What was tried and did not work, and why."},
        "next": {"type": "string", "description": "What is left to do."},
    },
    "required": ["done", "found", "tried", "next"],
    "additionalProperties": False,
}
_HEADINGS = {"done": "Done", "found": "Found out", "tried": "Tried in vain", "next": "Left to do"}


def summarise(
    engine: Engine, old: Sequence[Message], cancel: threading.Event | None, redactor: Redactor
) -> tuple[list[ModelReplied], str, str]:
    """Return (the request as events, the summary, why there is none). Raises `Cancelled` and nothing else."""
    transcript = "\n\n".join(f"{each.role}:\n{each.text}" for each in as_text(old, ()))
    try:
        replied = ask(
            engine,
            "condense",
            summary_prompt(secrets.token_hex(8), transcript),
            schema=SUMMARY_SCHEMA,
            max_tokens=_MAX_TOKENS,
            cancel=cancel,
            redactor=redactor,
        )
    except ScenaristError as error:
        return [], "", error.message
    try:
        given = read_json(replied.reply)
        parts = [f"{_HEADINGS[key]}: {given[key].strip()}" for key in _HEADINGS if given[key].strip()]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [replied], "", "Its summary could not be read."
    text = "\n".join(parts)[:_MAX_TEXT]
    return [replied], text, "" if text else "Its summary is empty."
