"""Processes are killed in the middle of a run: it ends in exactly one pull request all the same."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.forges.forge import Repo
from bot.log.events import Entry, PhaseStarted
from tests.support.harness import BotUnderTest, doubling, draft, wait_until

pytestmark = pytest.mark.xdist_group("chaos")  # one bot for all

# (the moment: an event's type and, for phases, which; what is killed then)
SHORT = [
    ("RunRequested", "", ("intake", "publish")),
    ("SpecWritten", "", ("runs",)),
    ("ModelReplied", "", ("runs", "redis")),
    ("PhaseStarted", "verify", ("runs",)),
    ("PhaseStarted", "publish", ("publish", "redis")),
]
# Each of them is killed at each moment by `tests/chaos/long.py`.
LONG = [
    (kind, phase, (victim,))
    for kind, phase in (
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
    )
    for victim in ("runs", "publish", "intake", "web", "redis")
]


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest({"lease_seconds": 4.0}) as bot:
        yield bot


def moment(entries: list[Entry], kind: str, phase: str) -> bool:
    for entry in entries:
        if entry.event.type == kind and (
            not phase or (isinstance(entry.event, PhaseStarted) and entry.event.phase == phase)
        ):
            return True
    return False


def killed(bot: BotUnderTest, name: str, kind: str, phase: str, victims: tuple[str, ...]) -> None:
    repo = bot.make_repo(f"octo/{name}")
    bot.script([draft()], doubling())
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")

    def arrived() -> bool:
        runs = bot.runs_on(repo, "issue", number)
        return bool(runs) and moment(bot.store.entries(runs[0]), kind, phase)

    wait_until(arrived, f"{kind} {phase}")
    for victim in victims:
        bot.group.kill(victim)
    assert set(bot.group.revive()) == set(victims)
    wait_until(bot.is_up, "the web app")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert_exactly_one(bot, repo, number)


def assert_exactly_one(bot: BotUnderTest, repo: Repo, number: int) -> None:
    runs = bot.runs_on(repo, "issue", number)
    assert len(runs) == 1
    state = bot.state(runs[0])
    pulls = bot.forge.pulls_by_head(repo, f"agent/{number}-double-numbers")
    assert [pull.head_sha for pull in pulls] == [state.verdict.head_sha if state.verdict else ""]
    assert len(bot.forge.checks(repo, pulls[0].head_sha)) == 1
    assert len(bot.forge.comments(repo, number)) == 1
    work = bot.state_dir / "work"
    wait_until(lambda: not list(work.glob(f"{runs[0]}*")), "an empty work folder", 30)
    wait_until(lambda: not sandboxes(bot.state_dir), "the end of every sandbox", 10)


def sandboxes(state_dir: Path) -> list[str]:
    """Processes that have something of this bot mounted."""
    found = []
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            if f"{state_dir}/work" in mounts.read_text():
                found.append(mounts.parent.name)
    return found


@pytest.mark.parametrize(("kind", "phase", "victims"), SHORT)
def test_a_killed_process_loses_and_doubles_nothing(
    bot: BotUnderTest, kind: str, phase: str, victims: tuple[str, ...]
) -> None:
    killed(bot, f"{kind}{phase}".lower(), kind, phase, victims)
