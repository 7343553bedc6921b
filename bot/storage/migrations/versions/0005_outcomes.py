"""what became of pull requests, and what each model did in a run"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("became", sa.String(16), nullable=False, server_default=""))
    made = op.create_table(
        "model_use",
        sa.Column("run_id", sa.String(26), nullable=False),
        sa.Column("work", sa.String(16), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_model_use_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "work", "model", name=op.f("pk_model_use")),
    )
    _fill(made)


def _fill(model_use: sa.Table) -> None:
    """Add up the replies in the logs that are there already, run by run."""
    db = op.get_bind()
    events = sa.table("events", *(sa.column(name) for name in ("run_id", "seq", "type", "data")))
    replies = sa.select(events.c.run_id, events.c.data).where(events.c.type == "ModelReplied")
    sums: dict[tuple[str, str, str], list[float]] = {}
    for run_id, data in db.execute(replies):
        event: dict[str, Any] = json.loads(data)
        reply = event.get("reply", {})
        used = reply.get("usage", {})
        model = str(reply.get("model") or event.get("runtime") or "")[:100]
        key = (run_id, str(event.get("phase", ""))[:16], model)
        tokens = used.get("prompt_tokens", 0) + used.get("completion_tokens", 0)
        added = (1, tokens, event.get("cost", 0.0), event.get("seconds", 0.0))
        sums[key] = [a + b for a, b in zip(sums.get(key, [0, 0, 0.0, 0.0]), added, strict=True)]
    names = ("run_id", "work", "model", "turns", "tokens", "cost", "seconds")
    rows = [dict(zip(names, (*key, *found), strict=True)) for key, found in sums.items()]
    if rows:
        op.bulk_insert(model_use, rows)


def downgrade() -> None:
    op.drop_table("model_use")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("became")
