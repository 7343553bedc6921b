"""Deliveries become runs or cancellations, whatever goes wrong on the way."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.behaviours.onboarding import MOST
from bot.forges.forge import Forge, ForgeUnavailable, Repo
from bot.intake.deliveries import Delivery
from bot.log.events import Controlled
from bot.storage.store import new_id
from tests.support.inbox import REPO, Inbox


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(tmp_path)
    yield inbox
    inbox.store.engine.dispose()


def test_a_defect_is_met_a_few_times_and_then_the_delivery_is_closed(inbox: Inbox) -> None:
    inbox.labelled()

    def broken(_name: str) -> Forge:
        raise ZeroDivisionError("a secret")

    delivery = inbox.ids[-1]
    for attempt in range(1, 8):
        assert inbox.handler(broken).handle(delivery) is None
        assert inbox.row(delivery) == ("stored", "SCN-0000: ZeroDivisionError", attempt)
        assert delivery not in inbox.deliveries.due(0), "not at once"
        inbox.clock.now += 601
        assert delivery in inbox.deliveries.due(0)
    assert inbox.handler(broken).handle(delivery) is None
    assert inbox.row(delivery)[:2] == ("handled", "SCN-0000: ZeroDivisionError, after 8 attempts")


def test_a_defect_that_passes_loses_nothing(inbox: Inbox) -> None:
    inbox.labelled()

    def broken(_name: str) -> Forge:
        raise ZeroDivisionError

    assert inbox.handler(broken).handle(inbox.ids[-1]) is None
    run_id = inbox.handler().handle(inbox.ids[-1])
    assert run_id is not None and inbox.started == [run_id]


def test_a_forge_that_is_away_is_waited_for_longer(inbox: Inbox) -> None:
    inbox.labelled()

    def away(_name: str) -> Forge:
        raise ForgeUnavailable("It is away.")

    for _ in range(20):
        inbox.handler(away).handle(inbox.ids[-1])
    assert inbox.row(inbox.ids[-1])[0] == "stored"
    assert inbox.handler().handle(inbox.ids[-1]) is not None


def test_one_run_that_resists_does_not_keep_the_others_from_being_cancelled(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = inbox.labelled()
    first = inbox.handler().handle(inbox.ids[-1])
    assert first is not None
    assert inbox.store.control(first, Controlled(control="cancel", by="ada"))
    inbox.forge.add_label(REPO, number, "agent:implement", "ada")
    second = inbox.handler().handle(inbox.ids[-1])
    assert second is not None, "a cancelled run keeps no other away"
    inbox.forge.remove_label(REPO, number, "agent:implement", "ada")
    control = inbox.store.control
    resist = True

    def resisting(run_id: str, event: Controlled) -> bool:
        if run_id == first and resist:
            raise sa.exc.OperationalError("x", {}, Exception())
        return control(run_id, event)

    monkeypatch.setattr(inbox.store, "control", resisting)
    inbox.controlled.clear()
    inbox.handler().handle(inbox.ids[-1])
    assert inbox.controlled == [second]
    assert inbox.row(inbox.ids[-1])[0] == "stored"
    resist = False
    inbox.handler().handle(inbox.ids[-1])
    assert inbox.row(inbox.ids[-1])[0] == "handled"


def test_a_comment_where_no_run_would_hear_it_asks_nothing_of_the_forge(inbox: Inbox) -> None:
    def untouched(_name: str) -> Forge:
        raise AssertionError("the forge was asked")

    number = inbox.forge.open_issue(REPO, "ada", "Add a thing", "Please").number
    inbox.forge.add_comment(REPO, number, "ada", "Nice idea, /agent cancel that.")
    assert inbox.handler(untouched).handle(inbox.ids[-1]) is None
    assert inbox.row(inbox.ids[-1]).outcome == "no run to tell"
    inbox.forge.add_comment(REPO, number, "ada", "/agent cancel")
    inbox.handler(untouched).handle(inbox.ids[-1])
    assert inbox.row(inbox.ids[-1]).state != "handled", "a command is looked at"


@pytest.mark.parametrize(
    ("text", "who", "answer"),
    [
        ("@scenarist please help", "ada", "`/agent status`"),
        ("Hello @scenarist!", "tri", "Sorry, tri"),
        ("Hello scenarist!", "ada", None),
        ("> @scenarist please help", "ada", None),
    ],
)
def test_a_mention_where_no_run_hears_it_gets_the_commands(
    inbox: Inbox, text: str, who: str, answer: str | None
) -> None:
    number = inbox.forge.open_issue(REPO, "ada", "Add a thing", "Please").number
    inbox.forge.add_comment(REPO, number, who, text)
    inbox.handler().handle(inbox.ids[-1])
    said = [each.body for each in inbox.forge.comments(Repo(full_name=REPO), number)[1:]]
    assert [answer in each for each in said] == [True] if answer else said == []


def test_a_label_is_acknowledged_where_it_starts_a_run(inbox: Inbox) -> None:
    number = inbox.forge.open_issue(REPO, "ada", "Add a thing", "Please").number
    for who in ("tri", "ada"):
        inbox.forge.add_label(REPO, number, "agent:implement", who)
        inbox.handler().handle(inbox.ids[-1])
        assert len(list(inbox.forge._all(REPO, "reaction to issue"))) == (who == "ada")
        inbox.forge.remove_label(REPO, number, "agent:implement", "ada")
    assert len(inbox.started) == 1


def test_a_label_of_somebody_without_rights_is_answered_once(inbox: Inbox) -> None:
    number = inbox.forge.open_issue(REPO, "ada", "Add a thing", "Please").number
    for _ in range(2):
        inbox.forge.add_label(REPO, number, "agent:implement", "tri")
        inbox.handler().handle(inbox.ids[-1])
        inbox.forge.remove_label(REPO, number, "agent:implement", "ada")
    (said,) = inbox.forge.comments(Repo(full_name=REPO), number)
    assert "Sorry, tri: a run starts only when" in said.body and inbox.started == []


def installed(inbox: Inbox, event: str = "installation", action: str = "created", count: int = 2) -> str:
    """A delivery that says that the bot was given `count` repositories; returns its id."""
    listed = [{"full_name": f"octo/r{number}"} for number in range(count)]
    key = "repositories" if event == "installation" else "repositories_added"
    payload = {"action": action, "sender": {"login": "ada"}, "installation": {"id": 7}, key: listed}
    body = json.dumps(payload).encode()
    made = Delivery(id=new_id(), forge="local", guid=new_id(), event=event, body=body)
    inbox.deliveries.add([made])
    return made.id


def test_each_new_repository_is_looked_at_once(inbox: Inbox) -> None:
    inbox.handler().handle(installed(inbox))
    rows = inbox.store.list_runs()
    assert {(row.repo, row.phase) for row in rows} == {("octo/r0", "prepare"), ("octo/r1", "prepare")}
    assert sorted(inbox.started) == sorted(row.id for row in rows)
    again = installed(inbox, "installation_repositories", "added", 3)
    inbox.handler().handle(again)
    assert inbox.store.list_runs(1)[0].repo == "octo/r2", "only that one is new"
    assert len(inbox.store.list_runs()) == 3


def test_an_organisation_with_many_repositories_gets_a_bounded_number(inbox: Inbox) -> None:
    delivery = installed(inbox, count=MOST + 5)
    inbox.handler().handle(delivery)
    assert len(inbox.store.list_runs(100)) == MOST
    assert "5 more" in inbox.row(delivery).outcome


@pytest.mark.parametrize(("action", "onboards"), [("created", False), ("suspend", True)])
def test_nothing_is_proposed_where_nobody_wants_it(inbox: Inbox, action: str, onboards: bool) -> None:
    inbox.handler(onboards=onboards).handle(installed(inbox, action=action))
    assert inbox.store.list_runs() == []
