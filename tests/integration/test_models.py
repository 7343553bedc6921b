"""Runs with two models: who writes the scenarios, who the code, and who takes over."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.log.events import Event, Published
from runners.contract.events import ModelReplied, ModelSwitched, VerdictReached
from runners.contract.job import DIFF, log_name
from runners.models.chat import Reply
from tests.standins.chat_server import ChatServer, call
from tests.support.harness import REPO, BotUnderTest, doubling, draft, says
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("two-models")  # one bot for all


class Two:
    """A bot whose driver is `weak` and then, after one red verdict or when it is stuck, `strong`, who is the
    analyst too."""

    def __init__(self, bot: BotUnderTest, weak: ChatServer, strong: ChatServer) -> None:
        self.bot, self.weak, self.strong = bot, weak, strong
        self.repo = bot.make_repo()

    def implement(self) -> tuple[str, list[Event]]:
        """Have an issue implemented; how the run ended, and its events."""
        issue = self.bot.forge.open_issue(
            REPO, "tri", "Double", "As a user I want to double numbers: 4 gives 8."
        )
        self.bot.forge.add_label(REPO, issue.number, "agent:implement", "ada")
        self.number = issue.number
        state = self.bot.finished(self.repo, "issue", issue.number)
        run = self.bot.runs_on(self.repo, "issue", issue.number)[0]
        return state.status, [entry.event for entry in self.bot.store.entries(run)]

    def comments(self) -> str:
        return "\n".join(each.body for each in self.bot.forge.comments(self.repo, self.number))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("models")
    with ExitStack() as stack:
        weak = stack.enter_context(ChatServer([], []))
        strong = stack.enter_context(ChatServer([], []))
        path: Path = folder / "models.yml"
        path.write_text(
            "runtimes:\n"
            f"  weak: {{provider: vllm, url: '{weak.url}', prices: {{input: 1, output: 2}}}}\n"
            f"  strong: {{provider: vllm, url: '{strong.url}'}}\n"
            "agents:\n  analyst: {runtime: strong}\n"
            "  driver: {runtime: weak, escalate: [strong], after_red: 1}\n"
        )
        bot = stack.enter_context(BotUnderTest({"models_file": path}))
        yield Two(bot, weak, strong)


def test_a_model_that_is_stuck_gives_way_to_the_next(two: Two) -> None:
    two.strong.specify = [draft()]
    two.weak.implement = [says(text="Let me think."), says(text="Hm."), says(text="Well.")]
    # The same conversation goes on: the strong model's first turn is the fourth.
    two.strong.implement = [says()] * 3 + doubling()
    status, events = two.implement()
    assert status == "done", two.comments()
    switched = [event for event in events if isinstance(event, ModelSwitched)]
    assert [(event.to, event.reason) for event in switched] == [
        ("strong", "The model stopped calling tools.")
    ]
    by = [(event.phase, event.runtime) for event in events if isinstance(event, ModelReplied)]
    assert by[0] == ("specify", "strong") and by[1:4] == [("implement", "weak")] * 3
    assert set(by[4:]) == {("implement", "strong")}
    assert "takes over" not in two.comments()


def test_red_verdicts_give_the_work_to_the_next(two: Two) -> None:
    two.strong.specify = [draft("Doubling again")]
    wrong = doubling("return 3 * n")
    two.weak.implement = wrong
    two.strong.implement = [*wrong, *doubling()[1:]]
    status, events = two.implement()
    assert status == "done", two.comments()
    switched = [event for event in events if isinstance(event, ModelSwitched)]
    assert [(event.to, event.reason) for event in switched] == [("strong", "1 red verdict")]
    verdicts = [event.verdict for event in events if isinstance(event, VerdictReached)]
    # Another run may have met the same base before; nobody had these scenarios.
    assert [verdict.evidence[0].known for verdict in verdicts] == [False, True]
    assert sum(each.known for each in verdicts[1].evidence) == 3, "the base is run once"
    run = two.bot.runs_on(two.repo, "issue", two.number)[0]
    kept = [
        (two.bot.store.artifact(run, log_name(each.log_sha256)) or b"").decode()
        for verdict in verdicts
        for each in verdict.evidence
    ]
    diff = (two.bot.store.artifact(run, DIFF) or b"").decode()
    assert "+def double(n):" in diff and "return 3 * n" not in diff, "the change on the page is the newest"
    assert all(kept) and any("Failing scenarios:" in each for each in kept), (
        "the logs are kept, round by round"
    )
    costs = [event.cost for event in events if isinstance(event, ModelReplied) and event.runtime == "weak"]
    assert costs and all(cost == pytest.approx((900 + 2 * 60) / 1e6) for cost in costs)


def test_a_comment_names_the_runtime_that_writes_the_code(two: Two) -> None:
    asked, told = threading.Event(), threading.Event()

    def thinks(_request: dict[str, Any]) -> Reply:
        asked.set()
        told.wait(120)
        return draft("Doubling by name")

    two.strong.specify, two.strong.implement = [thinks], doubling()
    two.weak.implement = [says(text="This one is not to be asked.")]
    before = len(two.weak.requests)
    number = two.bot.forge.open_issue(REPO, "tri", "Double", "As a user I want 4 to become 8.").number
    two.number = number
    two.bot.forge.add_label(REPO, number, "agent:implement", "ada")
    assert asked.wait(120)
    two.bot.forge.add_comment(REPO, number, "ada", "/agent model stronger")
    wait_until(lambda: "is written by `stronger`" in two.comments(), "an answer")
    told.set()
    state = two.bot.finished(two.repo, "issue", number)
    assert state.status == "failed" and state.code == "SCN-4101", two.comments()
    assert "There is no runtime stronger here; there are: weak, strong" in two.comments()
    two.bot.forge.add_comment(REPO, number, "ada", "/agent model strong\n/agent retry implement")
    (run,) = two.bot.runs_on(two.repo, "issue", number)
    wait_until(lambda: two.bot.store.status(run) == ("done", "publish"), "a pull request")
    events = [entry.event for entry in two.bot.store.entries(run)]
    by = {event.runtime for event in events if isinstance(event, ModelReplied) and event.phase == "implement"}
    assert by == {"strong"} and len(two.weak.requests) == before
    assert any(isinstance(event, Published) for event in events)


def test_a_question_of_the_model_is_asked_on_the_issue(two: Two) -> None:
    two.strong.specify = [draft("Doubling once more")]
    two.weak.implement = [says(call("ask", question="Should fractions be doubled, too?"))]
    status, _ = two.implement()
    assert status == "needs_info"
    assert "Should fractions be doubled, too?" in two.comments()
