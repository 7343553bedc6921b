"""An intake worker's parts on the local forge, whose deliveries tests handle themselves."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from bot.forges.forge import Forge
from bot.forges.github.webhooks.receiver import GitHubReceiver
from bot.forges.local.adapter import LocalForge
from bot.intake.deliveries import Deliveries, Delivery
from bot.intake.handler import IntakeHandler
from bot.storage.database import connect, migrate
from bot.storage.store import Store, new_id
from bot.storage.tables import deliveries
from tests.support.stores import Clock

REPO = "octo/shop"


class Inbox:
    """An intake worker's parts on the local forge, whose deliveries are stored and not yet handled."""

    def __init__(self, folder: Path) -> None:
        engine = connect(f"sqlite:///{folder / 'bot.db'}")
        migrate(engine)
        self.clock = Clock()
        self.store = Store(engine, self.clock)
        self.deliveries = Deliveries(engine, self.clock)
        self.forge = LocalForge(engine, folder / "forge", send=self._stored)
        self.forge.create_repo(REPO, {"ada": "admin", "tri": "read"})
        self.ids: list[str] = []
        self.started: list[str] = []
        self.controlled: list[str] = []

    def _stored(self, headers: "dict[str, str]", body: bytes) -> None:
        made = Delivery(
            id=new_id(),
            forge="local",
            guid=headers["X-GitHub-Delivery"],
            event=headers["X-GitHub-Event"],
            body=body,
        )
        self.deliveries.add([made])
        self.ids.append(made.id)

    def handler(self, forge: Callable[[str], Forge] | None = None, *, onboards: bool = True) -> IntakeHandler:
        return IntakeHandler(
            self.store,
            self.deliveries,
            forge or (lambda _name: self.forge),
            {"local": GitHubReceiver(("agent:implement", "agent:spec"))},
            self.started.append,
            self.controlled.append,
            onboards=onboards,
        )

    def row(self, delivery: str) -> "sa.Row[tuple[str, str, int]]":
        query = sa.select(deliveries.c.state, deliveries.c.outcome, deliveries.c.attempts)
        with self.store.engine.connect() as db:
            return db.execute(query.where(deliveries.c.id == delivery)).one()

    def labelled(self) -> int:
        number = self.forge.open_issue(REPO, "ada", "Add a thing", "Please").number
        self.forge.add_label(REPO, number, "agent:implement", "ada")
        return number
