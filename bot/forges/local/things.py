"""The storage of the local forge: a table of JSON values, and a bare repository for each name."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.forges.forge import Account, ForgeMissing, Issue, Pull, Repo
from bot.storage.tables import local_things as things
from runners.git.command import remote_heads

BOT = Account(id=1, login="scenarist[bot]")


class Things:
    """The issues, comments and so on of all repositories; `root` holds the repositories themselves."""

    def __init__(self, engine: sa.Engine, root: Path) -> None:
        self._engine = engine
        self._root = root

    def path(self, repo: str) -> Path:
        """Return where the bare repository lies."""
        return self._root / f"{repo}.git"

    def issue(self, repo: Repo, number: int) -> Issue:
        data = self._get(repo.full_name, "issue", number)
        fields = {name: data[name] for name in ("title", "body", "author", "labels", "open")}
        return Issue.model_validate({"number": number, "known_as": data.get("known_as"), **fields})

    def pull(self, repo: Repo, number: int) -> Pull:
        data = self._get(repo.full_name, "pull", number)
        path = self.path(repo.full_name)
        head_sha = remote_heads(str(path), "", data["head"]).get(data["head"], "")
        return Pull.model_validate(
            {
                "number": number,
                "url": f"{path}#{number}",
                "head_sha": head_sha,
                "head_repo": repo.full_name,
                **{name: value for name, value in data.items() if name != "before"},
            }
        )

    def _comment(self, repo: str, number: int, author: Account, body: str) -> int:
        at = now()
        data = {"author": author.model_dump(), "body": body, "created_at": at, "updated_at": at}
        return self._put(repo, "comment", None, number, data)

    def _all(
        self, repo: str, kind: str, parent: int | None = None, number: int | None = None
    ) -> list[tuple[int, int, dict[str, Any]]]:
        query = sa.select(things).where(things.c.repo == repo, things.c.kind == kind)
        if parent is not None:
            query = query.where(things.c.parent == parent)
        if number is not None:
            query = query.where(things.c.id == number)
        with self._engine.connect() as plain:
            db = plain.execution_options(isolation_level="AUTOCOMMIT")
            rows = db.execute(query.order_by(things.c.id)).all()
        return [(row.id, row.parent, json.loads(row.data)) for row in rows]

    def _get(self, repo: str, kind: str, number: int) -> dict[str, Any]:
        for _, _, data in self._all(repo, kind, number=number):
            return data
        raise ForgeMissing(f"{repo} has no {kind} {number}.")

    def _put(self, repo: str, kind: str, number: int | None, parent: int, data: Mapping[str, Any]) -> int:
        """Write a thing; without `number` it gets the next one of its kind."""
        with self._engine.begin() as db:
            if number is None:
                # Issues and pull requests share their numbers, as on GitHub.
                kinds = ("issue", "pull") if kind in ("issue", "pull") else (kind,)
                newest = sa.select(sa.func.max(things.c.id)).where(
                    things.c.repo == repo, things.c.kind.in_(kinds)
                )
                number = (db.execute(newest).scalar() or 0) + 1
            where = (things.c.repo == repo, things.c.kind == kind, things.c.id == number)
            text = json.dumps(data)
            if not db.execute(sa.update(things).where(*where).values(data=text)).rowcount:
                db.execute(
                    sa.insert(things).values(repo=repo, kind=kind, id=number, parent=parent, data=text)
                )
        return number


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
