"""Alerts and their notices are kept, a running job says when it last got on, and rescued runs are found by time."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("cleared_at IS NULL")
_DUE = sa.text("try_at IS NOT NULL")
_RESCUED = sa.text("ended_as = 'rescued'")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True)),
        sa.Column("cleared_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index(
        "uq_alerts_open", "alerts", ["name", "subject"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_table(
        "alert_notices",
        sa.Column("id", _ID, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("notice", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("try_at", sa.DateTime(timezone=True)),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("fault", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_alert_notices"),
    )
    op.create_index("ix_alert_notices_due", "alert_notices", ["try_at"], sqlite_where=_DUE, postgresql_where=_DUE)
    op.add_column("jobs", sa.Column("progressed_at", sa.DateTime(timezone=True)))
    op.create_index("ix_attempts_rescued", "attempts", ["ended_at"], sqlite_where=_RESCUED, postgresql_where=_RESCUED)


def downgrade() -> None:
    op.drop_index("ix_attempts_rescued", "attempts")
    op.drop_column("jobs", "progressed_at")
    op.drop_table("alert_notices")
    op.drop_table("alerts")
