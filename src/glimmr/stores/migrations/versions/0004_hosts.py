"""What a host did lately is kept for all processes, and so are the turns at it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("failures", "opened"):
        op.add_column("hosts", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("hosts", sa.Column("failed_since", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "host_turns",
        sa.Column("id", _ID, nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("lease_era", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_host_turns"),
    )
    op.create_index("ix_host_turns_host", "host_turns", ["host"])
    op.create_index("ix_host_turns_token", "host_turns", ["token"], unique=True)


def downgrade() -> None:
    op.drop_table("host_turns")
    for name in ("failures", "opened", "failed_since"):
        op.drop_column("hosts", name)
