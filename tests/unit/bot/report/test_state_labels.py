"""The label that says where a run is: changed with the state, never put back where somebody took it off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.forges.forge import Repo
from bot.forges.local.adapter import LocalForge
from bot.log.events import Entry, Event, PhaseFinished, Prepared, RunEnded
from bot.log.state import fold
from bot.report.poster import StatusPoster
from bot.report.reporter import Reporter
from bot.report.state_labels import STATE_LABELS, label_of
from bot.storage.database import connect, migrate
from bot.storage.leases import RunClaim
from bot.storage.store import Store
from runners.contract.job import LabelSettings, RunSettings
from tests.support.logs import PREPARED, STATES, entries
from tests.support.stores import request

NAME = "o/r"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("implementing", "agent:working"),
        ("waits for approval", "agent:waiting"),
        ("paused", "agent:waiting"),
        ("asks", "agent:waiting"),
        ("gave up", "agent:failed"),
        ("failed", "agent:failed"),
        ("cancelled", ""),
        ("published", "agent:ready"),
    ],
)
def test_each_state_has_its_label(name: str, label: str) -> None:
    assert label_of(fold(entries(STATES[name]))) == label


class Posting:
    """A run on issue 1 of the local forge, whose status is posted after each change."""

    def __init__(self, folder: Path) -> None:
        engine = connect(f"sqlite:///{folder / 'bot.db'}")
        migrate(engine)
        self.store = Store(engine)
        self.forge = LocalForge(engine, folder / "forge")
        self.forge.create_repo(NAME, {"ada": "admin"})
        self.forge.open_issue(NAME, "ada", "T", "B")
        self.poster = StatusPoster(self.store, lambda _name: self.forge, Reporter(), pace_seconds=0)
        self.claim = self.begin("a")

    def begin(self, key: str) -> RunClaim:
        run = self.store.request_run(request(key), target=key, exclusive=False)
        assert run is not None
        claim = self.store.claim(run, ["prepare"], 600)
        assert claim is not None
        return claim

    def log(self, *events: Event) -> list[str]:
        """Add events and post; the issue's labels afterwards."""
        self.store.log(self.claim, events)
        self.poster.post(self.claim.run_id)
        return self.labels

    def end(self, *events: Event) -> list[str]:
        ended = events[-1]
        assert isinstance(ended, RunEnded)
        self.store.finish_phase(self.claim, events, {}, phase="conclude", status=ended.status)
        self.poster.post(self.claim.run_id)
        return self.labels

    @property
    def labels(self) -> list[str]:
        return self.forge.labels(Repo(full_name=NAME), 1, on="issue")


@pytest.fixture
def posting(tmp_path: Path) -> Iterator[Posting]:
    made = Posting(tmp_path)
    yield made
    made.store.engine.dispose()


def prepared(**labels: object) -> Prepared:
    settings = RunSettings(labels=LabelSettings.model_validate(labels))
    return PREPARED.model_copy(update={"settings": settings})


FAILED = PhaseFinished(phase="prepare", outcome="gave_up", reason="No.")


def test_the_label_follows_the_run_and_the_next_one(posting: Posting) -> None:
    assert posting.log(prepared()) == ["agent:working"]
    assert posting.end(FAILED, RunEnded(status="gave_up")) == ["agent:failed"]
    posting.claim = posting.begin("b")
    assert posting.log(prepared()) == ["agent:working"], "what an earlier run left is taken off"


def test_a_label_that_somebody_takes_off_is_not_put_back(posting: Posting) -> None:
    posting.log(prepared())
    posting.forge.remove_label(NAME, 1, "agent:working", "ada")
    assert posting.log(FAILED) == []


def test_a_repository_may_want_none(posting: Posting) -> None:
    assert posting.log(prepared(state=False)) == []


def test_other_labels_stay(posting: Posting) -> None:
    posting.forge.add_label(NAME, 1, "bug", "ada")
    assert posting.log(prepared()) == ["agent:working", "bug"]
    assert set(STATE_LABELS) == {"agent:working", "agent:waiting", "agent:failed", "agent:ready"}
    assert isinstance(posting.store.entries(posting.claim.run_id)[-1], Entry)
