"""A worker says how many jobs of each step it runs at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("slots", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "slots")
