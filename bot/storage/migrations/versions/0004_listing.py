"""what the listing of runs shows: title, number, kind, who asked, and the pull request"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("title", sa.String(300), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("kind", sa.String(16), nullable=False, server_default="implement"))
        batch_op.add_column(sa.Column("person", sa.String(100), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("pull", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("published_at", sa.Float(), nullable=True))
    op.create_index("ix_runs_repo", "runs", ["repo"])
    _fill()


def _fill() -> None:
    """Give the runs that are there already what their logs begin with."""
    db = op.get_bind()
    runs = sa.table("runs", *(sa.column(name) for name in ("id", "title", "number", "kind", "person")))
    events = sa.table("events", *(sa.column(name) for name in ("run_id", "seq", "data")))
    first = sa.select(events.c.run_id, events.c.data).where(events.c.seq == 1)
    for run_id, data in db.execute(first).all():
        order = json.loads(data).get("order", {})
        db.execute(
            sa.update(runs)
            .where(runs.c.id == run_id)
            .values(
                title=str(order.get("title", ""))[:300],
                number=order.get("pull") or order.get("number") or 0,
                kind=str(order.get("kind", "implement"))[:16],
                person=str(order.get("requested_by", ""))[:100],
            )
        )


def downgrade() -> None:
    op.drop_index("ix_runs_repo", table_name="runs")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        for name in ("published_at", "pull", "person", "kind", "number", "title"):
            batch_op.drop_column(name)
