"""A job that failed before waits behind those that did not; hosts have a pace."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_READY = sa.text("state = 'ready'")


def upgrade() -> None:
    _order_by("priority DESC", "attempt")
    for name in ("crawl_seconds", "slower_seconds"):
        op.add_column("hosts", sa.Column(name, sa.Double(), nullable=False, server_default="0"))
    for name in ("robots_at", "next_at"):
        op.add_column("hosts", sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    _order_by("priority DESC")
    for name in ("crawl_seconds", "slower_seconds", "robots_at", "next_at"):
        op.drop_column("hosts", name)


def _order_by(*first: str) -> None:
    """Whatever is first in the order jobs are taken in, then their age."""
    op.drop_index("ix_jobs_ready", "jobs")
    op.create_index(
        "ix_jobs_ready",
        "jobs",
        ["step", *(sa.literal_column(column) for column in first), "run_at", "id"],
        unique=False,
        sqlite_where=_READY,
        postgresql_where=_READY,
    )
