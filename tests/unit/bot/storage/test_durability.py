"""Which transactions wait until the disk has them."""

import pytest
import sqlalchemy as sa

from bot.storage.database import connect, writing_ahead
from bot.storage.store import Store
from runners.contract.events import ModelReplied, PromptSent
from tests.support.logs import REPLIED
from tests.support.stores import claim, start

SETTINGS = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}
WAITS = {"sqlite": 2, "postgresql": "on"}  # 2: FULL
AHEAD = {"sqlite": 1, "postgresql": "off"}  # 1: NORMAL


def test_only_a_reply_is_stored_ahead_of_the_disk(store: Store) -> None:
    kind = store.engine.dialect.name
    seen: list[object] = []

    @sa.event.listens_for(store.engine, "commit")
    def note(db: sa.Connection) -> None:
        seen.append(db.exec_driver_sql(SETTINGS[kind]).scalar())

    run = start(store)
    assert run is not None
    held = claim(store, run)
    prompt = PromptSent(reason="nudge", text="Go on.")
    assert isinstance(REPLIED, ModelReplied)
    seen.clear()
    for events, blobs in (([REPLIED], {}), ([prompt], {}), ([REPLIED, prompt], {}), ([REPLIED], {"a": b"b"})):
        store.log(held, events, blobs)
    assert seen == [AHEAD[kind], *[WAITS[kind]] * 3]
    other = Store(connect(store.engine.url.render_as_string(hide_password=False)))
    assert len([each for each in other.entries(run) if each.event.type == "ModelReplied"]) == 3
    other.engine.dispose()


def test_a_transaction_that_fails_leaves_the_connection_as_it_was(store: Store) -> None:
    kind = store.engine.dialect.name
    seen: list[object] = []

    def fail() -> None:
        with writing_ahead(store.engine) as db:
            seen.append(db.exec_driver_sql(SETTINGS[kind]).scalar())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen == [AHEAD[kind]]
    with store.engine.begin() as db:
        assert db.exec_driver_sql(SETTINGS[kind]).scalar() == WAITS[kind]
