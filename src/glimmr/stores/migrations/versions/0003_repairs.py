"""Repairs are counted, and ended jobs are found by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ENDED = sa.text("state IN ('done', 'dead', 'cancelled')")


def upgrade() -> None:
    op.create_table(
        "repairs",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("repaired", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_repairs"),
    )
    op.create_index(
        "ix_jobs_ended",
        "jobs",
        ["outcome", "finished_at"],
        unique=False,
        sqlite_where=_ENDED,
        postgresql_where=_ENDED,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_ended", "jobs")
    op.drop_table("repairs")
