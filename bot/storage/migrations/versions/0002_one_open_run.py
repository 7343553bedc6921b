"""one open run a target, paused ones counted; runs on a target in a stated order; fenced status reports"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INDEX = "uq_runs_exclusive"
_BEFORE = sa.text("status = 'active'")
_NOW = sa.text("status IN ('active', 'paused') AND phase <> 'conclude'")

# Two open runs on one target could come about before: the paused one of the two, or the older, gives way.
_GIVE_WAY = """
UPDATE runs SET exclusive = NULL
WHERE exclusive IS NOT NULL AND status IN ('active', 'paused') AND EXISTS (
  SELECT 1 FROM runs AS other
  WHERE other.exclusive = runs.exclusive AND other.id <> runs.id AND other.status IN ('active', 'paused')
    AND (runs.status = 'paused' AND other.status = 'active'
         OR runs.status = other.status AND other.id > runs.id))
"""


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("place", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("report_fence", sa.Integer(), nullable=False, server_default="0"))
    op.execute(_GIVE_WAY)
    op.drop_index(_INDEX, table_name="runs")
    op.create_index(_INDEX, "runs", ["exclusive"], unique=True, sqlite_where=_NOW, postgresql_where=_NOW)


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="runs")
    op.create_index(
        _INDEX, "runs", ["exclusive"], unique=True, sqlite_where=_BEFORE, postgresql_where=_BEFORE
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("report_fence")
        batch_op.drop_column("place")
