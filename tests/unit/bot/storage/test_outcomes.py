"""What became of pull requests and which model did what, as the pages list it."""

import sqlalchemy as sa

from bot.log.events import PullEnded
from bot.storage.database import connect, migrate
from bot.storage.outcomes import models_of, pulls_of, repositories
from bot.storage.store import Store
from runners.models.chat import TokenUsage
from tests.support import logs
from tests.support.run_logs import append, stored_run


def replied(cost: float) -> logs.Event:
    usage = TokenUsage(prompt_tokens=900, completion_tokens=100)
    reply = logs.REPLIED.reply.model_copy(update={"usage": usage})
    return logs.REPLIED.model_copy(update={"reply": reply, "cost": cost})


def published(pull: int) -> list[logs.Event]:
    """The log of a run that published a pull request, with two replies of half a dollar each."""
    ended = [
        each.model_copy(update={"pull": pull}) if each.type == "Published" else each
        for each in logs.PUBLISHED
        if each.type != "ModelReplied"
    ]
    return [*ended[:-1], replied(0.5), replied(0.5), ended[-1]]


def test_outcomes_costs_and_models_of_a_repository(store: Store) -> None:
    first = stored_run(store, published(13), key="1", repo="octo/shop")
    second = stored_run(store, published(14), key="2", repo="octo/shop")
    stored_run(
        store,
        [*logs.STATES["gave up"][:-1], replied(1.0), logs.STATES["gave up"][-1]],
        key="3",
        repo="octo/shop",
    )
    stored_run(store, published(13), key="4", repo="octo/other")
    append(store, first, PullEnded(pull=13, became="edited", edits=1))
    append(store, second, PullEnded(pull=14, became="closed"))
    lines = {each.repo: each for each in repositories(store.engine, None)}
    line = lines["octo/shop"]
    assert (line.edited, line.closed, line.waiting, line.kept) == (1, 1, 0, 1)
    assert (line.done, line.ended) == (2, 3) and line.cost == 3.0
    assert lines["octo/other"].waiting == 1, "numbers are those of one repository"
    pulls = pulls_of(store.engine, "github", "octo/shop")
    assert [(each.number, each.became, each.runs, each.cost) for each in pulls] == [
        (14, "closed", 1, 1.0),
        (13, "edited", 1, 1.0),
    ]
    assert pulls[0].models == ("qwen3",) and pulls[0].url == "https://forge.example/13" and pulls[0].proven
    (model,) = [each for each in models_of(store.engine, "github", "octo/shop") if each.work == "implement"]
    assert (model.model, model.runs, model.pulls, model.kept) == ("qwen3", 3, 2, 1)
    append(store, first, PullEnded(pull=13, became="reverted"))
    append(store, second, PullEnded(pull=14, became="open"))
    line = next(each for each in repositories(store.engine, None) if each.repo == "octo/shop")
    assert (line.reverted, line.waiting, line.kept) == (1, 1, 0)


def test_the_migration_adds_up_what_the_logs_say_already(database_url: str) -> None:
    engine = connect(database_url)
    migrate(engine)
    store = Store(engine)
    stored_run(store, published(13), key="1", repo="octo/shop")
    before = models_of(engine, "github", "octo/shop")
    with engine.begin() as db:
        db.execute(sa.text("DROP TABLE model_use"))
        for column in ("became", "runner"):
            db.execute(sa.text(f"ALTER TABLE runs DROP COLUMN {column}"))
        db.execute(sa.text("UPDATE alembic_version SET version_num = '0004'"))
    migrate(engine)
    assert models_of(engine, "github", "octo/shop") == before and before[0].turns == 2
    engine.dispose()
