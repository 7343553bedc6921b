"""The tables. Times are seconds since the epoch (UTC) unless a column says otherwise."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("forge", sa.String(16), nullable=False),
    sa.Column("guid", sa.String(100), nullable=False),
    sa.Column("event", sa.String(100), nullable=False),
    sa.Column("body_sha256", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("outcome", sa.Text, nullable=False, default=""),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("due_at", sa.Float, nullable=False),
    # Some forges repeat a GUID (it is a time in milliseconds), so it alone does not identify a delivery.
    sa.UniqueConstraint("forge", "guid", "event", "body_sha256"),
    sa.Index("ix_deliveries_state_due_at", "state", "due_at"),
)

# A run that is being concluded does not prevent the next run on its target.
_OPEN = sa.text("status IN ('active', 'paused') AND phase <> 'conclude'")

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("request_key", sa.String(300), nullable=False, unique=True),
    sa.Column("target", sa.String(300), nullable=False),
    # The target, when only one run at a time may be requested for it.
    sa.Column("exclusive", sa.String(300)),
    # Active runs on one target are done in the order of this number, then of their ids.
    sa.Column("place", sa.Integer, nullable=False, server_default="0"),
    sa.Column("forge", sa.String(16), nullable=False),
    sa.Column("repo", sa.String(200), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("lease_until", sa.Float),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("report_until", sa.Float),
    sa.Column("report_fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reported_seq", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    # The process that has the lease (`worker_identity.py`).
    sa.Column("holder", sa.String(200), nullable=False, server_default=""),
    sa.Column("installation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cost", sa.Float, nullable=False, server_default="0"),
    sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
    # What listings show; the log says the same.
    sa.Column("title", sa.String(300), nullable=False, server_default=""),
    sa.Column("number", sa.Integer, nullable=False, server_default="0"),
    sa.Column("kind", sa.String(16), nullable=False, server_default="implement"),
    sa.Column("person", sa.String(100), nullable=False, server_default=""),
    sa.Column("pull", sa.Integer, nullable=False, server_default="0"),
    sa.Column("published_at", sa.Float),
    # What became of the pull request (`bot.log.events.Became`); empty as long as it is open.
    sa.Column("became", sa.String(16), nullable=False, server_default=""),
    # Where its next phases that run repository code are done (`runners.contract.job.Runner`).
    sa.Column("runner", sa.String(16), nullable=False, server_default="celery"),
    sa.Index("ix_runs_created_at", "created_at"),
    sa.Index("ix_runs_repo", "repo"),
    sa.Index("ix_runs_status_due_at", "status", "due_at"),
    sa.Index("ix_runs_target", "target"),
    sa.Index(
        "uq_runs_exclusive",
        "exclusive",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("run_id", sa.String(26), sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)

# What each model did in a run; the log says the same.
model_use = sa.Table(
    "model_use",
    metadata,
    sa.Column("run_id", sa.String(26), sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("work", sa.String(16), primary_key=True),
    sa.Column("model", sa.String(100), primary_key=True),
    sa.Column("turns", sa.Integer, nullable=False),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("run_id", sa.String(26), sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# The local forge's own state, which on GitHub would be GitHub's.
local_things = sa.Table(
    "local_things",
    metadata,
    sa.Column("repo", sa.String(200), primary_key=True),
    sa.Column("kind", sa.String(24), primary_key=True),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent", sa.Integer, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Index("ix_local_things_repo_kind_parent", "repo", "kind", "parent"),
)
