"""what each run has used, the installation it is for, and who holds it"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("installation", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("holder", sa.String(200), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("tokens", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("cost", sa.Float(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("seconds", sa.Float(), nullable=False, server_default="0"))
    op.create_index("ix_runs_created_at", "runs", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_runs_created_at", table_name="runs")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        for name in ("seconds", "cost", "tokens", "holder", "installation"):
            batch_op.drop_column(name)
