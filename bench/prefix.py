"""How much of each prompt of the demo's run a server's prefix cache can serve, request by request.

Counted in characters of the JSON that is sent, tools first. A server that keeps what it has generated, as
vLLM does, finds the model's own reply in its cache too: https://docs.vllm.ai/en/latest/features/automatic_prefix_caching.html
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

import bot.demo
from tests.standins.chat_server import ChatServer, recorded_turns

_ROOT = Path(__file__).parents[1]
_RECORDING = Path(bot.demo.__file__).parent / "recording.jsonl"


class Request(NamedTuple):
    """One prompt: its length, what of it stood in the prompt before, and that with the reply to it."""

    length: int
    before: int
    with_reply: int


def run(console: Console) -> None:
    """Measure and print."""
    turns = recorded_turns(_RECORDING)
    with ChatServer(turns["specify"], turns["implement"]) as server:
        words = [
            sys.executable,
            "-m",
            "bot",
            "demo",
            "--json",
            "--runtime",
            "local",
            "--model-url",
            server.url,
        ]
        subprocess.run(words, check=True, capture_output=True, cwd=_ROOT)
        asked = [each for each in server.requests if "response_format" not in each]
    found = requests(asked)
    table = Table(
        "turn", "characters", "stood in the prompt before", "with its reply", title="The demo's prompts"
    )
    for number, each in enumerate(found, 2):
        shares = (f"{part / each.length:.1%}" for part in (each.before, each.with_reply))
        table.add_row(str(number), f"{each.length:,}", *shares)
    length = sum(each.length for each in found)
    parts = (sum(each.before for each in found), sum(each.with_reply for each in found))
    table.add_row("all", f"{length:,}", *(f"{part / length:.1%}" for part in parts))
    console.print(table)


def requests(asked: Sequence[dict[str, Any]]) -> list[Request]:
    """The prompts but the first one, each beside the one before it."""
    found = []
    for before, after in pairwise(asked):
        known = len(before["messages"]) + 1  # the reply is the next message
        sent = _as_sent(after, len(after["messages"]))
        one, other = _as_sent(before, len(before["messages"])), _as_sent(after, known)
        found.append(Request(len(sent), _common(one, sent), _common(other, sent)))
    return found


def _as_sent(request: dict[str, Any], messages: int) -> str:
    return json.dumps([request.get("tools"), request["messages"][:messages]])


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at the beginning."""
    differ = (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(one), len(other)))
