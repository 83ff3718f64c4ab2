"""Large files are known again by five of their ranges, and bytes that are not kept are known to be gone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("bytes_removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("snapshots", sa.Column("ranges", sa.JSON(), nullable=True))


def downgrade() -> None:
    for name in ("bytes_removed_at", "ranges"):
        op.drop_column("snapshots", name)
