"""Five ranges tell whether a large file changed; bytes that are not kept are known to be gone; sources tell sizes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("bytes_removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("price_files", sa.Column("source_bytes", sa.BigInteger(), nullable=True))
    op.add_column("snapshots", sa.Column("ranges", sa.JSON(), nullable=True))


def downgrade() -> None:
    for name in ("bytes_removed_at", "ranges"):
        op.drop_column("snapshots", name)
    op.drop_column("price_files", "source_bytes")
