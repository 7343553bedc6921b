"""At which moments of a run processes are killed, and what has to be there in the end."""

from bot.forges.forge import Repo
from bot.log.events import Entry, PhaseStarted
from tests.support.harness import BotUnderTest
from tests.support.processes import sandboxes
from tests.support.waiting import wait_until

# (the moment: an event's type and, for phases, which; what is killed then)
SHORT = [
    ("RunRequested", "", ("intake", "publish")),
    ("SpecWritten", "", ("runs",)),
    ("ModelReplied", "", ("runs", "redis")),
    ("PhaseStarted", "verify", ("runs",)),
    ("PhaseStarted", "publish", ("publish", "redis")),
]
# Each process is killed at each of them by `tests/chaos/long.py`.
LONG = [
    ("RunRequested", ""),
    ("PhaseStarted", "prepare"),
    ("Prepared", ""),
    ("PhaseStarted", "specify"),
    ("SpecWritten", ""),
    ("PhaseStarted", "implement"),
    ("ModelReplied", ""),
    ("ToolCalled", ""),
    ("Committed", ""),
    ("PhaseStarted", "verify"),
    ("VerdictReached", ""),
    ("PhaseStarted", "publish"),
    ("Published", ""),
]


# The same in a run of two candidates, after the second one has begun.
CANDIDATES = [
    ("CandidateBegun", ""),
    ("PhaseStarted", "implement"),
    ("ModelReplied", ""),
    ("ToolCalled", ""),
    ("Committed", ""),
    ("PhaseStarted", "verify"),
    ("VerdictReached", ""),
    ("CandidateChosen", ""),
    ("PhaseStarted", "publish"),
    ("Published", ""),
]
# In `.scenarist.yml`: both candidates are made, by the same model.
TWO_CANDIDATES = "candidates: {count: 2, when: always}\n"


def moment(entries: list[Entry], kind: str, phase: str, *, after: str = "") -> bool:
    """Whether the log holds an event of that type, and of that phase if one is named.

    `after` names a type of event; only that event and what comes later counts.
    """
    first = next((at for at, entry in enumerate(entries) if entry.event.type == after), len(entries))
    return any(
        entry.event.type == kind
        and (not phase or (isinstance(entry.event, PhaseStarted) and entry.event.phase == phase))
        for entry in (entries[first:] if after else entries)
    )


def assert_exactly_one(bot: BotUnderTest, repo: Repo, number: int) -> None:
    """One run, pull request, check run and comment for the issue; no worktree and no sandbox is left."""
    runs = bot.runs_on(repo, "issue", number)
    assert len(runs) == 1
    state = bot.state(runs[0])
    pulls = bot.forge.pulls_by_head(repo, f"agent/{number}-double-numbers")
    assert [pull.head_sha for pull in pulls] == [state.verdict.head_sha if state.verdict else ""]
    assert len(bot.forge.checks(repo, pulls[0].head_sha)) == 1
    assert len(bot.forge.comments(repo, number)) == 1
    work = bot.state_dir / "work"
    wait_until(lambda: not list(work.glob(f"{runs[0]}*")), "an empty work folder")
    wait_until(lambda: not sandboxes(bot.state_dir), "the end of every sandbox")
