"""The status comment is one, whoever edits it and however slowly.

And what a pull request says of the sandbox.
"""

import threading
from pathlib import Path

import pytest

from bot.forges.forge import Repo, TargetKind
from bot.forges.local.adapter import LocalForge
from bot.log.events import JOINED, Controlled, PhaseFinished, PhaseStarted, RunEnded, RunRequested
from bot.log.state import RunState, fold
from bot.report.poster import StatusPoster
from bot.report.reporter import Reporter
from bot.storage.store import Store
from runners.contract.events import SpecWritten, VerdictReached
from runners.verify.verdict import Verdict
from tests.support.stores import Clock, request
from tests.support.waiting import HANG_S, wait_until

REPO = "o/r"


class SlowForge(LocalForge):
    """Answers a request for a comment when it is told to."""

    def __init__(self, sqlite_store: Store, root: Path) -> None:
        super().__init__(sqlite_store.engine, root)
        self.asked, self.answer = threading.Event(), threading.Event()

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: TargetKind = "issue"
    ) -> int:
        self.asked.set()
        assert self.answer.wait(HANG_S)
        return super().upsert_comment(repo, number, marker, body, known, on=on)


def test_a_slow_edit_is_not_begun_a_second_time(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = SlowForge(sqlite_store, tmp_path / "forge")
    run_id = sqlite_store.request_run(request("k"), target="t", exclusive=False)
    assert run_id is not None
    clock = sqlite_store.clock = Clock()
    extend, extended = sqlite_store.reports.extend, []

    def noted(run: str, fence: int, seconds: float) -> bool:
        held = extend(run, fence, seconds)
        extended.append(seconds)
        return held

    monkeypatch.setattr(sqlite_store.reports, "extend", noted)
    first = StatusPoster(sqlite_store, lambda _name: forge, Reporter(), hold_seconds=0.6)
    thread = threading.Thread(target=first.post, args=[run_id])
    thread.start()
    assert forge.asked.wait(HANG_S)
    held = sqlite_store.reports.stale()
    for _ in range(3):  # longer than the right to post lasts by itself
        clock.now += 0.4
        seen = len(extended)
        wait_until(lambda seen=seen: len(extended) >= seen + 2, "another extension of the right to post")
        assert sqlite_store.reports.begin(run_id, 60) is None
    forge.answer.set()
    thread.join()
    assert held == [] and sqlite_store.reports.stale() == []
    assert len(forge.comments(Repo(full_name=REPO), 1)) == 1
    assert fold(sqlite_store.entries(run_id)).status_comment == 1


class CountingForge(LocalForge):
    """Counts edits of comments."""

    edits = 0

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: TargetKind = "issue"
    ) -> int:
        self.edits += 1
        return super().upsert_comment(repo, number, marker, body, known, on=on)


def test_a_comment_is_edited_at_a_pace_that_forges_allow(sqlite_store: Store, tmp_path: Path) -> None:
    forge = CountingForge(sqlite_store.engine, tmp_path / "forge")
    run_id = sqlite_store.request_run(request("k"), target="t", exclusive=False)
    assert run_id is not None
    poster = StatusPoster(sqlite_store, lambda _name: forge, Reporter(), pace_seconds=300)
    for _ in range(5):
        sqlite_store.note(run_id, PhaseStarted(phase="prepare", worker="w"))
        poster.post(run_id)
    assert forge.edits == 1 and sqlite_store.reports.stale() == [run_id], "the reaper goes on asking"
    held = sqlite_store.claim(run_id, ["prepare"], 30)
    assert held is not None
    sqlite_store.finish_phase(held, [], {}, phase="specify")
    poster.post(run_id)
    assert forge.edits == 2, "another phase is shown at once"
    held = sqlite_store.claim(run_id, ["specify"], 30)
    assert held is not None
    sqlite_store.finish_phase(held, [RunEnded(status="gave_up")], {}, phase="specify", status="gave_up")
    poster.post(run_id)
    assert forge.edits == 3 and sqlite_store.reports.is_current(run_id), "and so is the end"


@pytest.mark.parametrize(
    ("sandboxed", "runner", "said"),
    [
        (True, "celery", ""),
        (True, "kubernetes", ""),
        (False, "celery", "were not sandboxed"),
        (False, "kubernetes", "had no sandbox but their Kubernetes pod"),
    ],
)
def test_a_pull_request_says_when_a_runner_had_no_sandbox(
    sqlite_store: Store, sandboxed: bool, runner: str, said: str
) -> None:
    run_id = sqlite_store.request_run(request("k"), target="t", exclusive=False)
    assert run_id is not None
    for phase, inside in (("prepare", True), ("implement", sandboxed), ("verify", True)):
        started = {"phase": phase, "worker": "w", "sandboxed": inside, "runner": runner}
        sqlite_store.note(run_id, PhaseStarted.model_validate(started))
    spec = SpecWritten(path="f", sha256="0", source="issue", scenarios=(), commit="c")
    sqlite_store.note(run_id, spec)
    sqlite_store.note(run_id, VerdictReached(verdict=Verdict(base_sha="a" * 40, head_sha="b" * 40)))
    state: RunState = fold(sqlite_store.entries(run_id))
    assert isinstance(state.requested, RunRequested)
    _title, body = Reporter().pull_text(run_id, state)
    assert said in body
    assert [words for words in ("not sandboxed", "no sandbox") if words in body] == (
        [words for words in ("not sandboxed", "no sandbox") if words in said]
    )


def test_a_question_is_asked_once_however_often_the_status_is_posted(
    sqlite_store: Store, tmp_path: Path
) -> None:
    forge = CountingForge(sqlite_store.engine, tmp_path / "forge")
    run_id = sqlite_store.request_run(request("k"), target="t", exclusive=False)
    assert run_id is not None
    held = sqlite_store.claim(run_id, ["prepare"], 30)
    assert held is not None
    asks = PhaseFinished(phase="prepare", outcome="needs_info", reason="Which one?")
    sqlite_store.finish_phase(
        held, [asks, RunEnded(status="needs_info")], {}, phase="prepare", status="needs_info"
    )
    for _ in range(2):
        StatusPoster(sqlite_store, lambda _name: forge, Reporter()).post(run_id)
        assert sqlite_store.reports.is_current(run_id)
    status, question = [comment.body for comment in forge.comments(Repo(full_name=REPO), 1)]
    assert "is waiting for an answer" in status and "@ada, I need an answer" in question
    assert fold(sqlite_store.entries(run_id)).asked == ("answer-1",)
    assert forge.edits == 3, "the status twice, the question once"


def test_a_revision_is_shown_when_it_begins_and_not_where_another_one_takes_over(
    sqlite_store: Store, tmp_path: Path
) -> None:
    forge = CountingForge(sqlite_store.engine, tmp_path / "forge")
    asked = request("k")
    revises = asked.model_copy(
        update={"order": asked.order.model_copy(update={"kind": "revise", "pull": 1, "review_body": "x"})}
    )
    poster = StatusPoster(sqlite_store, lambda _name: forge, Reporter())
    first, second = (
        sqlite_store.request_run(revises.model_copy(update={"key": key}), target="t", exclusive=False)
        for key in ("a", "b")
    )
    assert first is not None and second is not None
    poster.post(first)
    sqlite_store.control(first, Controlled(control="cancel", by="ada", reason=JOINED))
    poster.post(first)
    assert forge.edits == 0 and sqlite_store.reports.is_current(first)
    sqlite_store.note(second, PhaseStarted(phase="prepare", worker="w"))
    poster.post(second)
    (shown,) = [comment.body for comment in forge.comments(Repo(full_name=REPO), 1)]
    assert "is fetching the repository" in shown and sqlite_store.reports.is_current(second)
