"""The time of a turn of the loop, with a model server that replies at once, an SQLite log and checkpoints."""

import statistics
from itertools import pairwise

from rich.console import Console

from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import call
from tests.support.harness import BotUnderTest, draft, says

_TURNS = 50


def run(console: Console) -> None:
    """Measure and print turns that read, and turns that write and store a checkpoint."""
    with BotUnderTest() as bot:
        for name, make in (("read", _reading), ("write", _writing)):
            turns: list[Reply] = [make(number) for number in range(_TURNS)]
            bot.script([draft()], [*turns, says(call("give_up", reason="The bench is over."))])
            repo = bot.make_repo(f"octo/{name}")
            number = bot.forge.open_issue(
                repo.full_name, "ada", "Double numbers", "Doubling 4 should give 8."
            ).number
            bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
            bot.finished(repo, "issue", number, 120)
            entries = bot.store.entries(bot.runs_on(repo, "issue", number)[0])
            stamps = [_seconds(entry.at) for entry in entries if entry.event.type == "ToolCalled"]
            gaps = [(later - earlier) * 1000 for earlier, later in pairwise(stamps)]
            console.print(
                f"A turn that {name}s one file: {statistics.median(gaps):.1f} ms (median of {len(gaps)})"
            )
    console.print()


def _reading(number: int) -> Reply:
    made = call("read_file", path="calc.py", start_line=1 + number % 2, end_line=2 + number)
    return Reply(tool_calls=(made,), usage=TokenUsage(prompt_tokens=10), stop="tools")


def _writing(number: int) -> Reply:
    made = call("write_file", path="notes.txt", content=f"turn {number}\n")
    return Reply(tool_calls=(made,), usage=TokenUsage(prompt_tokens=10), stop="tools")


def _seconds(at: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()
