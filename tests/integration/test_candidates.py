"""Runs with more than one candidate: who begins when, and which one is taken."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.forges.forge import Repo
from bot.log.state import RunState
from runners.contract.events import ModelReplied
from runners.contract.job import CHECKPOINT
from runners.contract.team_events import CandidateBegun
from runners.git.command import git
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.harness import CALC, DOUBLE_STEPS, BotUnderTest, doubling, draft, says

pytestmark = pytest.mark.xdist_group("candidates")  # one bot for all

_CODE = CALC["calc.py"] + "\n\ndef double(n):\n    {}\n"
_TEST = "from calc import double\n\n\ndef test_double():\n    assert double({0}) == {1}\n"


class Drivers:
    """A bot with two drivers, `first` and `second`, of which the first is the analyst too."""

    def __init__(self, bot: BotUnderTest, first: ChatServer, second: ChatServer) -> None:
        self.bot, self.first, self.second = bot, first, second

    def run(self, name: str, when: str, first: list[Turn], second: list[Turn]) -> RunState:
        """Have an issue implemented by up to two candidates of one round each; returns the run's state."""
        config = f"{CALC['.scenarist.yml']}candidates: {{count: 2, when: {when}}}\nbudget: {{rounds: 1}}\n"
        repo = self.bot.make_repo(name, {**CALC, ".scenarist.yml": config})
        self.first.specify = [draft()]
        self.first.implement, self.second.implement = first, second
        text = "As a user I want to double numbers: 4 gives 8."
        self.number = self.bot.forge.open_issue(name, "tri", "Double", text).number
        self.bot.forge.add_label(name, self.number, "agent:implement", "ada")
        return self.bot.finished(repo, "issue", self.number)

    def body(self, name: str, state: RunState) -> str:
        assert state.published is not None, state.reason
        return self.bot.forge.pull(Repo(full_name=name), state.published.pull).body


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drivers]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(ChatServer([], [])) for _ in range(2))
        path = tmp_path_factory.mktemp("models") / "models.yml"
        path.write_text(
            "runtimes:\n"
            f"  first: {{provider: vllm, url: '{first.url}'}}\n"
            f"  second: {{provider: vllm, url: '{second.url}'}}\n"
            "agents:\n  driver: {runtime: first, candidates: [second]}\n"
        )
        yield Drivers(stack.enter_context(BotUnderTest({"models_file": path})), first, second)


def _with_test(body: str, number: int, result: int) -> list[Turn]:
    """The turns of a model that implements doubling with `body` and adds a test of its own."""
    return [
        says(
            call("write_file", path="calc.py", content=_CODE.format(body)),
            call("write_file", path="features/steps/double_steps.py", content=DOUBLE_STEPS),
            call("write_file", path="test_double.py", content=_TEST.format(number, result)),
        ),
        says(call("finish", summary="Doubles.")),
    ]


def test_a_second_candidate_begins_anew_when_the_first_is_not_proven(drivers: Drivers) -> None:
    state = drivers.run("octo/red", "red", doubling("return 3 * n"), doubling())
    assert state.status == "done", state.reason
    assert [(each.ended.number, each.ended.status) for each in state.candidates] == [(1, "red"), (2, "green")]
    run = drivers.bot.runs_on(Repo(full_name="octo/red"), "issue", drivers.number)[0]
    events = [entry.event for entry in drivers.bot.store.entries(run)]
    begun = [event for event in events if isinstance(event, CandidateBegun)]
    assert [(each.number, each.runtime) for each in begun] == [(2, "second")]
    told = str(drivers.second.requests[-1]["messages"])
    assert "3 * n" not in told, "a candidate knows nothing of the others"
    by = [each.runtime for each in events if isinstance(each, ModelReplied) and each.phase == "implement"]
    assert list(dict.fromkeys(by)) == ["first", "second"]
    body = drivers.body("octo/red", state)
    assert "number 2 was chosen because it is the only one of 2 that was proven" in body
    assert "| 1 | first | red |" in body


def test_no_other_candidate_begins_after_a_proven_one(drivers: Drivers) -> None:
    state = drivers.run("octo/first", "red", doubling(), [])
    assert state.status == "done" and state.candidate is None, state.reason
    assert "Candidates" not in drivers.body("octo/first", state)


def test_the_tests_of_the_others_decide_between_proven_candidates(drivers: Drivers) -> None:
    # Both do what the scenario says; the first knows nothing else.
    first = _with_test("return 8 if n == 4 else n * n", 4, 8)
    state = drivers.run("octo/always", "always", first, _with_test("return 2 * n", 5, 10))
    assert state.status == "done" and state.chosen is not None, state.reason
    assert state.chosen.number == 2
    failed = {pair.number: pair.failed for pair in state.chosen.crossed}
    assert failed == {1: ("test_double.py::test_double",), 2: ()}
    assert "it fails the fewest tests of the others" in drivers.body("octo/always", state)


def test_the_best_of_unproven_candidates_is_left_as_a_draft(drivers: Drivers) -> None:
    state = drivers.run("octo/none", "red", doubling("return 3 * n"), doubling("return 5 * n"))
    assert state.status == "gave_up" and state.left is not None
    assert state.reason.startswith("None of 2 candidates could be proven.")
    assert state.left.commit == state.candidates[0].ended.head


def test_a_question_of_a_later_candidate_ends_the_run(drivers: Drivers, tmp_path: Path) -> None:
    asks = [says(call("ask", question="Fractions too?"))]
    state = drivers.run("octo/asks", "red", doubling("return 3 * n"), asks)
    assert state.status == "needs_info" and state.spec is not None
    # A run that was resumed here would have gone on from the scenarios, not from the first one's files.
    run = drivers.bot.runs_on(Repo(full_name="octo/asks"), "issue", drivers.number)[0]
    bundle = tmp_path / "bundle"
    bundle.write_bytes(drivers.bot.store.artifact(run, CHECKPOINT) or b"")
    heads = git("bundle", "list-heads", str(bundle), git_dir=drivers.bot.forge.path("octo/asks"))
    assert heads.split()[0] == state.spec.commit


def test_a_proven_candidate_is_taken_where_a_later_one_gives_up(drivers: Drivers) -> None:
    gives_up = [says(call("give_up", reason="It cannot be done."))]
    state = drivers.run("octo/gives-up", "always", doubling(), gives_up)
    assert state.status == "done" and state.chosen is not None, state.reason
    assert (state.chosen.number, state.chosen.reason) == (1, "it is the only one of 2 that was proven")
    assert state.committed is not None and state.published is not None
    assert state.published.commit == state.candidates[0].ended.head == state.committed.commit
