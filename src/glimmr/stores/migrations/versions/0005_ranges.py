"""Large files are known again by five of their ranges."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("ranges", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("snapshots", "ranges")
